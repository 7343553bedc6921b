"""Git's own smart HTTP server (`git http-backend`) behind a socket, for clone and push with a credential."""

import base64
import os
import subprocess
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from runners.git.command import git
from tests.standins.serving import LoopbackServer, QuietHandler

# (repository, token, writing) -> HTTP status: 200 lets it through.
Authorize = Callable[[str, str, bool], int]


class GitServer(LoopbackServer):
    """Serves the bare repositories below `root` as ``<url>/<owner>/<name>.git``.

    `pushed(repository)` is called after each push, before the client gets its answer.
    """

    def __init__(
        self, root: Path, authorize: Authorize, pushed: Callable[[str], None] = lambda _repo: None
    ) -> None:
        self._root = root
        self._authorize = authorize
        self._pushed = pushed
        self.requests: list[tuple[str, str, int]] = []
        # The answers to the next requests that write, or do not, instead of what they ask for.
        self.faults: dict[bool, list[int]] = {True: [], False: []}
        super().__init__(self._handler())

    @property
    def url(self) -> str:
        return self.root

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                owner._serve(self)

            def do_POST(self) -> None:
                owner._serve(self)

        return Handler

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        repository = path.lstrip("/").partition(".git/")[0]
        writing = "git-receive-pack" in request.path
        body = self._body(request)
        status = self._authorize(repository, _token(request.headers.get("Authorization", "")), writing)
        if self.faults[writing]:
            status = self.faults[writing].pop(0)
        self.requests.append((request.command, request.path, status))
        if status != 200:
            self._answer(request, status, [("WWW-Authenticate", 'Basic realm="git"')], b"denied\n")
            return
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "app",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(
            ["git", "-c", "http.receivepack=true", "http-backend"],
            input=body,
            env=env,
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        if writing and request.command == "POST" and status == 200:
            self._pushed(repository)
        self._answer(request, status, [(n, v) for n, v in headers if n != "Status"], content)

    @staticmethod
    def _body(request: BaseHTTPRequestHandler) -> bytes:
        if request.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(request.rfile.readline(), 16):
                parts.append(request.rfile.read(size))
                request.rfile.readline()
            request.rfile.readline()
            return b"".join(parts)
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))

    @staticmethod
    def _answer(
        request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def _token(header: str) -> str:
    kind, _, value = header.partition(" ")
    if kind != "Basic":
        return ""
    try:
        return base64.b64decode(value).decode().partition(":")[2]
    except ValueError:
        return ""


def make_bare(bare: Path, tree: Path, files: Mapping[str, str]) -> None:
    """Make the bare repository `bare` with one commit of `files` on ``main``, written by way of `tree`."""
    bare.mkdir(parents=True)
    git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), git_dir=bare)
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    git("add", "--all", git_dir=bare, work_tree=tree)
    git("commit", "--quiet", "--message", "Begin", git_dir=bare, work_tree=tree)
