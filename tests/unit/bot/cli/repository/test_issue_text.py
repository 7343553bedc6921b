import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from bot.cli.repository.issue_text import IssueText, IssueUnreadable, read_issue
from bot.config.settings import Settings
from tests.standins.serving import LoopbackServer, QuietHandler

# As GitHub's and GitLab's API give an issue, but for the keys that are not read.
ANSWERS: dict[str, Any] = {
    "/api/v3/repos/octo/shop/issues/7": {"number": 7, "title": " Count ", "body": "Count books.\r\n"},
    "/api/v3/repos/octo/shop/issues/8": {"number": 8, "title": "No text", "body": None},
    "/api/v3/repos/octo/shop/issues/9": ["not", "an", "issue"],
    "/api/v4/projects/group%2Fsub%2Fshop/issues/3": {"iid": 3, "title": "Count", "description": "Books."},
}


class Forges(LoopbackServer):
    """Answers what `ANSWERS` says, 404 to all else, and keeps the headers of each request."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        owner = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                owner.headers.append(dict(self.headers.items()))
                found = ANSWERS.get(self.path)
                body = json.dumps(found if found is not None else {"message": "Not Found"}).encode()
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        handler: type[BaseHTTPRequestHandler] = Handler
        super().__init__(handler)


@pytest.fixture
def forges() -> Iterator[Forges]:
    with Forges() as server:
        yield server


def test_an_issue_is_read_from_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "issue.md"
    file.write_text("\n# Count books\n\nAll of them.\n")
    assert read_issue(str(file), Settings()) == IssueText("Count books", "All of them.")
    monkeypatch.setattr("sys.stdin", io.StringIO("Count\n"))
    assert read_issue("-", Settings()) == IssueText("Count", "")


def test_an_issue_is_read_from_a_forge(forges: Forges) -> None:
    github = read_issue(f"{forges.root}/octo/shop/issues/7", Settings())
    assert github == IssueText("Count", "Count books.", 7)
    assert read_issue(f"{forges.root}/octo/shop/issues/8", Settings()).body == ""
    for kind in ("issues", "work_items"):
        gitlab = read_issue(f"{forges.root}/group/sub/shop/-/{kind}/3", Settings())
        assert gitlab == IssueText("Count", "Books.", 3)


def test_a_token_goes_to_its_own_server_alone(forges: Forges) -> None:
    secret = {"github_token": "ghp_x", "gitlab_token": "glpat-x"}
    elsewhere = Settings(**secret)
    own = Settings(**secret, github_api_url=f"{forges.root}/api/v3", gitlab_url=forges.root)
    for settings in (elsewhere, own):
        read_issue(f"{forges.root}/octo/shop/issues/7", settings)
        read_issue(f"{forges.root}/group/sub/shop/-/issues/3", settings)
    sent = [(each.get("Authorization"), each.get("PRIVATE-TOKEN")) for each in forges.headers]
    assert sent == [(None, None), (None, None), ("Bearer ghp_x", None), (None, "glpat-x")]


def test_what_cannot_be_read_is_said(forges: Forges, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for source, said in (
        (str(tmp_path / "missing"), "No such file"),
        (str(tmp_path / "empty"), "is empty"),
        (str(tmp_path / "binary"), "utf-8"),
        (f"{forges.root}/octo/shop/pull/7", "not the address of an issue"),
        (f"{forges.root}/octo/shop/issues/404", "answered with 404"),
        (f"{forges.root}/octo/shop/issues/9", "did not answer with an issue"),
        ("http://127.0.0.1:9/octo/shop/issues/9", "cannot be reached (ConnectError)"),
    ):
        with pytest.raises(IssueUnreadable, match="SCN-7013") as raised:
            read_issue(source, Settings())
        assert said in raised.value.message, raised.value.message
