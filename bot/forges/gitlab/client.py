"""python-gitlab with its waiting and repeating switched off, and its errors turned into the forge's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gitlab
import requests
from gitlab.exceptions import GitlabAuthenticationError, GitlabError, GitlabHttpError

from bot.forges.forge import ForgeDenied, ForgeMissing, ForgeUnavailable
from runners.counted import count

TIMEOUT_S = 20.0
_MAX_WAIT_S = 3600.0


class _Session(requests.Session):
    """Turns a rate limit into an error that says how long to wait."""

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        answer = super().send(request, **settings)
        left = answer.headers.get("RateLimit-Remaining", "")
        if left.isdigit():
            count("forge requests left", "gitlab", int(left))
        if answer.status_code == 429:
            limited = ForgeUnavailable("GitLab's rate limit is reached.")
            limited.wait_s = _wait(answer)
            raise limited
        return answer


def client(url: str, token: str) -> gitlab.Gitlab:
    """Return a client that never sleeps for a rate limit, repeats no POST, and follows links to its own host
    only.

    https://python-gitlab.readthedocs.io/en/stable/api-usage-advanced.html
    """
    return gitlab.Gitlab(
        url,
        private_token=token,
        timeout=TIMEOUT_S,
        keep_base_url=True,
        retry_transient_errors=False,
        user_agent="scenarist",
        session=_Session(),
    )


@contextmanager
def forge_errors() -> Iterator[None]:
    """Raise python-gitlab's errors as the forge's own, without tokens or bodies."""
    try:
        yield
    except GitlabAuthenticationError:
        raise ForgeDenied("GitLab refused the token (401).") from None
    except GitlabError as error:
        raise _neutral(error) from None
    except requests.RequestException as error:
        raise ForgeUnavailable(f"GitLab could not be reached ({type(error).__name__}).") from None


def said(error: GitlabError) -> str:
    """Return GitLab's message, which may be a text, a list or an object, as one text of at most 200
    characters."""
    found: Any = error.error_message
    if isinstance(found, list | tuple):
        found = "; ".join(map(str, found))
    return str(found or "no reason given").rstrip(".")[:200]


def is_ambiguous(error: Exception) -> bool:
    """Return whether a request that failed in this way may have had its effect."""
    if isinstance(error, GitlabError):
        return (error.response_code or 0) >= 500 or error.response_code == 409
    return isinstance(error, requests.RequestException)


def _neutral(error: GitlabError) -> ForgeDenied | ForgeMissing | ForgeUnavailable:
    status = error.response_code
    if status == 404:
        return ForgeMissing(f"GitLab answered 404: {said(error)}.")
    if status is None or status >= 500 or status == 408:
        return ForgeUnavailable(f"GitLab answered {status or 'nothing that can be read'}.")
    return ForgeDenied(f"GitLab answered {status}: {said(error)}.")


def _wait(answer: requests.Response) -> float:
    try:
        return min(max(float(answer.headers.get("Retry-After", "60")), 1.0), _MAX_WAIT_S)
    except ValueError:
        return 60.0


__all__ = ["GitlabError", "GitlabHttpError", "client", "forge_errors", "is_ambiguous", "said"]
