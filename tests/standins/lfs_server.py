"""A stand-in for a server of Git LFS: the batch API and basic transfers, over a real socket.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
It is strict: another media type, a missing credential and a missing key of the storage are refused.
"""

import hashlib
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.standins.serving import LoopbackServer, QuietHandler

_MEDIA = "application/vnd.git-lfs+json"
_KEY = "storage-key"


class LfsServer(LoopbackServer):
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
        super().__init__(self._handler())

    @property
    def url(self) -> str:
        """The address of the repository."""
        return f"{self.root}/shop/shop"

    def _objects(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for each in asked["objects"]:
            if each["oid"] not in self.contents:
                missing = {"code": 404, "message": "Object does not exist"}
                found.append({"oid": each["oid"], "size": each["size"], "error": missing})
                continue
            href = f"{self.root.replace('127.0.0.1', self._host)}/storage/{each['oid']}"
            action = {"href": href, "header": {"X-Key": _KEY}}
            found.append({"oid": each["oid"], "size": each["size"], "actions": {"download": action}})
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(QuietHandler):
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
                elif {_media(self.headers["Accept"]), _media(self.headers["Content-Type"])} != {_MEDIA}:
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

        return Handler


def _media(header: str) -> str:
    """The media type without its parameters: the client of Git LFS adds a charset."""
    return header.partition(";")[0]
