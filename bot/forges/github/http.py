"""Requests to GitHub: which of them are repeated, and its errors translated to the forge's own."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
from githubkit import BaseAuthStrategy, GitHub
from githubkit.exception import GitHubException, RateLimitExceeded, RequestFailed
from githubkit.retry import RetryOption

from bot.forges.forge import ForgeDenied, ForgeMissing, ForgeUnavailable
from bot.tls import trusted
from runners.counted import count


class RateBudget:
    """What is left of each installation's requests, as the last answers said.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    def __init__(self) -> None:
        self._left: dict[int, tuple[float, float]] = {}

    def note(self, installation: int, headers: Mapping[str, str]) -> None:
        """Take in an answer's headers."""
        try:
            share = int(headers["x-ratelimit-remaining"]) / int(headers["x-ratelimit-limit"])
            self._left[installation] = share, float(headers["x-ratelimit-reset"])
        except (KeyError, ValueError, ZeroDivisionError):
            return  # not every server counts

    def scarce_for(self, installation: int) -> float:
        """Return the seconds until there are more requests, if less than a tenth is left; otherwise 0."""
        share, until = self._left.get(installation, (1.0, 0.0))
        return max(0.0, until - time.time()) if share < _RESERVE else 0.0


def github_client(
    api_url: str, auth: Any, note: Callable[[Mapping[str, str]], None] = lambda _headers: None
) -> GitHub[Any]:
    """Return a client of the API; `note` gets the headers of each answer."""
    return GitHub(
        auth,
        base_url=api_url,
        http_cache=False,  # it would answer a question about permissions from a minute ago
        auto_retry=_retry,
        timeout=20,
        user_agent="scenarist",
        ssl_verify=trusted(),  # githubkit makes a client for each request
        event_hooks={"response": [lambda answer: note(answer.headers)]},
    )


_SHORT = timedelta(seconds=5)
# The last tenth of an installation's requests is for the work of runs, and not for telling how far they are.
_RESERVE = 0.1


class FreshToken(httpx.Auth, BaseAuthStrategy):
    """Signs requests with what `token(False)` gives; one that is refused as unknown is sent once more with
    `token(True)`.

    A token can be revoked at any time. What is answered with 401 had no effect, so that a POST may be
    repeated.
    """

    def __init__(self, token: Callable[[bool], str]) -> None:
        self._token = token

    def get_auth_flow(self, github: Any) -> httpx.Auth:
        return self

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        first = self._token(False)
        request.headers["Authorization"] = f"token {first}"
        answer = yield request
        left = answer.headers.get("x-ratelimit-remaining", "")
        if left.isdigit():
            count("forge requests left", "github", int(left))
        if answer.status_code == 401 and (second := self._token(True)) != first:
            request.headers["Authorization"] = f"token {second}"
            yield request


def _retry(error: GitHubException, attempt: int) -> RetryOption:
    """Wait out short rate limits, and repeat what only reads; a POST is never repeated blindly."""
    if isinstance(error, RateLimitExceeded):
        # For longer the run waits, and not its worker. githubkit takes no wait at all for a minute.
        wait = max(error.retry_after, timedelta(seconds=1))
        return RetryOption(wait <= _SHORT and attempt < 2, wait)
    reading = isinstance(error, RequestFailed) and error.request.method == "GET"
    if reading and error.response.status_code >= 500:  # type: ignore[attr-defined]
        return RetryOption(attempt < 2, timedelta(seconds=0.5 * 2**attempt))
    return RetryOption(False)


@contextmanager
def forge_errors() -> Iterator[None]:
    """Translate githubkit's errors to the forge's own, without tokens, bodies or traces."""
    try:
        yield
    except RateLimitExceeded as error:
        seconds = error.retry_after.total_seconds()
        limited = ForgeUnavailable(f"GitHub's rate limit is reached for {seconds:.0f} s.")
        limited.wait_s = seconds
        raise limited from None
    except RequestFailed as error:
        status = error.response.status_code
        what = f"GitHub answered {status} to {error.request.method} {error.request.url.path}"
        if status in (404, 410):
            raise ForgeMissing(f"{what}.") from None
        if status in (401, 403):
            raise ForgeDenied(f"{what}: {_message(error)}.") from None
        if status >= 500 or status in (408, 429):
            raise ForgeUnavailable(f"{what}.") from None
        raise ForgeDenied(f"{what}: {_message(error)}.") from None
    except GitHubException as error:
        raise ForgeUnavailable(f"GitHub could not be reached ({type(error).__name__}).") from None


def _message(error: RequestFailed) -> str:
    try:
        answer = error.response.json()
    except ValueError:
        return "no reason given"
    found = answer.get("message") if isinstance(answer, dict) else None
    details = answer.get("errors") if isinstance(answer, dict) else None
    text = str(found or "no reason given").rstrip(".")
    return f"{text} ({str(details)[:200]})" if details else text
