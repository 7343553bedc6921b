"""Requests to GitHub: which are repeated, and its errors as the forge's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from githubkit import GitHub
from githubkit.exception import GitHubException, RateLimitExceeded, RequestFailed
from githubkit.retry import RetryOption

from bot.forges.forge import ForgeDenied, ForgeMissing, ForgeUnavailable


def github_client(api_url: str, auth: Any) -> GitHub[Any]:
    # The cache would answer a question about permissions from a minute ago.
    return GitHub(
        auth, base_url=api_url, http_cache=False, auto_retry=_retry, timeout=20, user_agent="scenarist"
    )


def _retry(error: GitHubException, attempt: int) -> RetryOption:
    """Wait out short rate limits, and repeat what only reads; a POST is never repeated blindly."""
    if isinstance(error, RateLimitExceeded):
        short = error.retry_after <= timedelta(seconds=60)
        return RetryOption(short and attempt < 2, error.retry_after)
    reading = isinstance(error, RequestFailed) and error.request.method == "GET"
    if reading and error.response.status_code >= 500:  # type: ignore[attr-defined]
        return RetryOption(attempt < 2, timedelta(seconds=0.5 * 2**attempt))
    return RetryOption(False)


@contextmanager
def forge_errors() -> Iterator[None]:
    """githubkit's errors as the forge's own, without tokens, bodies or traces."""
    try:
        yield
    except RateLimitExceeded as error:
        seconds = error.retry_after.total_seconds()
        raise ForgeUnavailable(f"GitHub's rate limit is reached for {seconds:.0f} s.") from None
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
