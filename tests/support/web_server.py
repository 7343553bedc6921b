"""A web server with one answer for each path, and HTTP access to it under invented host names."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from runners.policy.capabilities import Grants, Policy
from runners.tools.backends.http import HttpAccess
from runners.tools.base import ToolContext
from tests.support.tool_context import context

Answer = Callable[[socket.socket, str], None]


@contextlib.contextmanager
def serving(answers: dict[str, bytes | Answer], host: str = "127.0.0.1") -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a server and the requests it got.

    `answers` maps a path to bytes or to a function of the connection.
    """
    seen: list[str] = []
    with socket.create_server((host, 0)) as server:

        def handle(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                request = b""
                while b"\r\n\r\n" not in request and (part := client.recv(65536)):
                    request += part
                head, _, rest = request.partition(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                while length and len(rest) < int(length[1]):
                    rest += client.recv(65536)
                text = (head + b"\r\n\r\n" + rest).decode(errors="replace")
                seen.append(text)
                path = text.split(" ")[1].split("?")[0] if " " in text else ""
                answer = answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                if callable(answer):
                    answer(client, text)
                else:
                    client.sendall(answer)

        def loop() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=handle, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)


def page(body: str, kind: str = "text/plain", status: str = "200 OK", **more: str) -> bytes:
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n{extra}\r\n"
    return head.encode() + body.encode()


def access(names: dict[str, list[str]] | None = None, *, guarded: bool = False, **more: object) -> HttpAccess:
    """Return HTTP access that resolves host names with `names`, and others to 127.0.0.1.

    With `guarded` it refuses the addresses that the product refuses, else none.
    """

    def resolver(host: str, port: int) -> list[str]:
        return (names or {}).get(host, ["127.0.0.1"])

    given: dict[str, object] = {"resolver": resolver, "seconds": 5.0, **more}
    if not guarded:
        given["allowed"] = lambda address: True
    return HttpAccess(**given)


def web_context(tmp_path: Path, web: HttpAccess, *allow: str) -> ToolContext:
    policy = Policy(role="full", repository=Grants(allow=allow or ("http.*:*",)))
    return context(tmp_path, policy=policy, resources=(web,))
