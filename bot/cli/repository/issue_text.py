"""The text of an issue: from a file, from standard input, or from GitHub or GitLab."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from bot.config.settings import Settings
from gherkin.errors import ScenaristError

_ON_GITLAB = re.compile(r"/(?P<project>[^?#]+?)/-/(?:issues|work_items)/(?P<number>\d+)/?")
_ON_GITHUB = re.compile(r"/(?P<project>[^/?#]+/[^/?#]+)/issues/(?P<number>\d+)/?")
_TIMEOUT_S = 30.0

ISSUE = "A file (title, then text), `-` for standard input, or the address of an issue on GitHub or GitLab."


class IssueUnreadable(ScenaristError):
    """The text of an issue cannot be read."""

    code = "SCN-7013"
    next_step = (
        "Give a text file whose first line is the issue's title (`-` reads standard input), or the address "
        "of an issue on GitHub or GitLab."
    )


@dataclass(frozen=True)
class IssueText:
    """The text of an issue; `number` is 0 if it has none."""

    title: str
    body: str
    number: int = 0


def read_issue(source: str, settings: Settings) -> IssueText:
    """Return the issue at `source`: a file, ``-`` for standard input, or an address on GitHub or GitLab.

    Comments are not read. A token of the settings is sent to its own server alone. Raises `IssueUnreadable`.
    """
    if source.startswith(("https://", "http://")):
        return _fetched(source, settings)
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IssueUnreadable(f"{source} cannot be read: {error}.") from None
    first, _, rest = text.lstrip().partition("\n")
    return _checked(IssueText(first.lstrip("#").strip(), rest.strip()), source)


def _fetched(address: str, settings: Settings) -> IssueText:
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise IssueUnreadable(f"{address} is not an address: {error}.") from None
    host = f"{parts.scheme}://{parts.netloc}"
    headers = {"Accept": "application/json", "User-Agent": "scenarist"}
    if found := _ON_GITLAB.fullmatch(parts.path):
        url = f"{host}/api/v4/projects/{quote(found['project'], safe='')}/issues/{found['number']}"
        token, field = settings.gitlab_token.get_secret_value(), "description"
        if token and host == settings.gitlab_url.rstrip("/"):
            headers["PRIVATE-TOKEN"] = token
    elif found := _ON_GITHUB.fullmatch(parts.path):
        api = "https://api.github.com" if parts.netloc == "github.com" else f"{host}/api/v3"
        url = f"{api}/repos/{found['project']}/issues/{found['number']}"
        token, field = settings.github_token.get_secret_value(), "body"
        if token and api == settings.github_api_url.rstrip("/"):
            headers["Authorization"] = f"Bearer {token}"
    else:
        raise IssueUnreadable(f"{address} is not the address of an issue on GitHub or GitLab.")
    try:
        answer = httpx.get(url, headers=headers, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        said = answer.json()
        issue = IssueText(str(said["title"]).strip(), str(said[field] or "").strip(), int(found["number"]))
    except httpx.HTTPStatusError as error:
        raise IssueUnreadable(
            f"{url} answered with {error.response.status_code}.",
            "Check the address; for a private project set SCENARIST_GITHUB_TOKEN, or SCENARIST_GITLAB_URL "
            "and SCENARIST_GITLAB_TOKEN.",
        ) from None
    except httpx.HTTPError as error:
        raise IssueUnreadable(f"{url} cannot be reached ({type(error).__name__}).") from None
    except (ValueError, KeyError, TypeError):
        raise IssueUnreadable(f"{url} did not answer with an issue.") from None
    return _checked(issue, address)


def _checked(issue: IssueText, source: str) -> IssueText:
    if not issue.title:
        raise IssueUnreadable(f"{source} is empty.")
    return issue
