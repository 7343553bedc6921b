"""What the parts of the GitHub stand-in share: its state, one request, an answer that is an error."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

R = "/repos/{owner}/{repo}"
APP_ID, SLUG, INSTALLATION = 4711, "scenarist", 99


class Refusal(Exception):
    """An answer that is an error, in GitHub's form."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = {}
        self.body: dict[str, Any] = {"message": message, "documentation_url": "https://docs.github.com/rest"}
        if errors is not None:
            self.body["errors"] = errors


@dataclass
class Call:
    """One request as a handler sees it."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    user: dict[str, Any]
    permissions: Mapping[str, str]
    answered: dict[str, str]


def now() -> str:
    """The present moment as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class GitHubState:
    """The things on the stand-in, by number or id. The server fills them."""

    root: str
    repo: str
    bare: Path
    drafts: bool
    issues: dict[int, dict[str, Any]]
    comments: dict[int, dict[str, Any]]
    pulls: dict[int, dict[str, Any]]
    checks: dict[int, dict[str, Any]]
    reviews: dict[int, dict[str, Any]]
    review_comments: dict[int, dict[str, Any]]
    reactions: set[tuple[int, str]]
    labels: dict[str, dict[str, str]]
    resolved: set[int]
    _lock: threading.RLock
    _next_id: Callable[[], int]
    _template: Callable[..., Any]
    send: Callable[..., None]
