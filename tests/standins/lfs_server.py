"""A stand-in for a server of Git LFS: the batch API and basic transfers, over a real socket.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
It is strict: another media type, a missing credential and a missing key of the storage are refused.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_MEDIA = "application/vnd.git-lfs+json"
_KEY = "storage-key"


class LfsServer:
    """Serves `contents` for the repository ``/shop/shop``; `asked` are (path, Authorization) of requests.

    `host` is the name by which the storage is reached: ``localhost`` makes it another
    server than the repository's.
    """

    credential = "Authorization: Basic c2VjcmV0"

    def __init__(self, *contents: bytes, host: str = "127.0.0.1") -> None:
        self.contents = {hashlib.sha256(each).hexdigest(): each for each in contents}
        self.asked: list[tuple[str, str]] = []
        self.wrong: Mapping[str, bytes] = {}
        self._host = host
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address of the repository."""
        return f"http://127.0.0.1:{self._server.server_port}/shop/shop"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _objects(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for each in asked["objects"]:
            if each["oid"] not in self.contents:
                missing = {"code": 404, "message": "Object does not exist"}
                found.append({"oid": each["oid"], "size": each["size"], "error": missing})
                continue
            href = f"http://{self._host}:{self._server.server_port}/storage/{each['oid']}"
            action = {"href": href, "header": {"X-Key": _KEY}}
            found.append({"oid": each["oid"], "size": each["size"], "actions": {"download": action}})
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self, status: int, body: bytes, media: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                given = self.headers.get("Authorization", "")
                server.asked.append((self.path, given))
                if self.path != "/shop/shop.git/info/lfs/objects/batch":
                    self._answer(404, b"", _MEDIA)
                elif f"Authorization: {given}" != server.credential:
                    self._answer(401, b"", _MEDIA)
                elif {self.headers["Accept"], self.headers["Content-Type"]} != {_MEDIA}:
                    self._answer(406, b"", _MEDIA)
                else:
                    found = {"transfer": "basic", "objects": server._objects(json.loads(body))}
                    self._answer(200, json.dumps(found).encode(), _MEDIA)

            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers.get("Authorization", "")))
                oid = self.path.rpartition("/")[2]
                if self.headers.get("X-Key") != _KEY:
                    self._answer(403, b"", "text/plain")
                else:
                    content = server.wrong.get(oid, server.contents[oid])
                    self._answer(200, content, "application/octet-stream")

            def log_message(self, *_words: Any) -> None:
                """Print nothing."""

        return Handler
