"""Start PostgreSQL and Redis, run a command, and stop them afterwards.

It runs inside the sandbox, and imports nothing of Scenarist.

    python -I scenarist_services.py postgres=FOLDER,redis=FOLDER COMMAND…
"""

import os
import socket
import subprocess
import sys
import tempfile
import time

_SECONDS = 60


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _postgres(folder: str, place: str) -> "list[str]":
    """Make an empty database cluster with the account `postgres`; returns the command that starts it."""
    password = os.path.join(place, "password")
    with open(password, "w") as file:
        file.write("postgres\n")
    data = os.path.join(place, "data")
    words = [f"{folder}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(
        [*words, f"--pwfile={password}"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    # The cluster is deleted after the command, so its data need not be written to the disk.
    return [
        f"{folder}/postgres",
        "-D",
        data,
        "-F",
        "-h",
        "127.0.0.1",
        "-k",
        "/tmp",
        "-c",
        "full_page_writes=off",
    ]


def _redis(folder: str, place: str) -> "list[str]":
    settings = ["--save", "", "--appendonly", "no", "--dir", place, "--unixsocket", "/tmp/redis.sock"]
    return [f"{folder}/redis-server", "--port", "6379", "--bind", "127.0.0.1", *settings]


_KNOWN = {"postgres": (_postgres, 5432), "redis": (_redis, 6379)}


def _start(name: str, folder: str) -> "subprocess.Popen[bytes] | None":
    """Start a service and wait until it answers; returns None if one answers already."""
    prepare, port = _KNOWN[name]
    if _answers(port):
        return None
    place = tempfile.mkdtemp(prefix=f"{name}-")
    log = open(os.path.join(place, "log"), "wb")
    process = subprocess.Popen(prepare(folder, place), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + _SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            log.close()
            with open(log.name, errors="replace") as file:
                sys.exit(f"{name} did not start: {file.read()[-1000:]}")
        time.sleep(0.02)
    return process


def main() -> int:
    listed, command = sys.argv[1], sys.argv[2:]
    try:
        started = [_start(*each.split("=", 1)) for each in listed.split(",")]
    except subprocess.CalledProcessError as error:
        sys.exit(f"a service did not start: {error.stderr.decode(errors='replace')[-1000:]}")
    try:
        return subprocess.run(command).returncode
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 127
    finally:
        for process in filter(None, started):
            process.kill()


if __name__ == "__main__":
    code = main()
    sys.exit(code if code >= 0 else 128 - code)
