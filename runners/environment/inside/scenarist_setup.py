"""Run a command of the set-up step, which can reach no network but the proxy.

It runs inside the sandbox, and imports nothing of Scenarist.

    python scenarist_setup.py SOCKET COMMAND…

It listens on a port of 127.0.0.1 and forwards each connection to the proxy's socket file.
"""

import os
import socket
import subprocess
import sys
import threading
from typing import Any


def _carry(source: Any, sink: Any) -> None:
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    except OSError:
        pass  # one of the connections is closed
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it is closed already


def _serve(listener: Any, path: str) -> None:
    while True:
        near, _ = listener.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(path)
        except OSError:
            near.close()
            continue
        for pair in ((near, far), (far, near)):
            threading.Thread(target=_carry, args=pair, daemon=True).start()


def main() -> int:
    path, command = sys.argv[1], sys.argv[2:]
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    names = (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "npm_config_proxy",
        "npm_config_https_proxy",
    )
    environment = dict(os.environ, **dict.fromkeys(names, url))
    threading.Thread(target=_serve, args=(listener, path), daemon=True).start()
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    code = main()
    sys.exit(code if code >= 0 else 128 - code)
