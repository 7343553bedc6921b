"""The processes that the bot starts: what they inherit, and how their groups end."""

import os
import sys
from pathlib import Path

import pytest

from bot.worker import processes as module
from bot.worker.processes import PortTaken, is_ready, listen, processes, url_of
from tests.standins.serving import LoopbackServer, QuietHandler
from tests.support.waiting import wait_until

WAIT = [sys.executable, "-c", "import signal; signal.pause()"]


def is_over(place: Path) -> bool:
    """Whether a process, by its folder in /proc, has ended; nobody may have asked how yet."""
    try:
        return "State:\tZ" in (place / "status").read_text()
    except OSError:
        return True


def test_a_group_is_killed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another group's as soon as the guard is gone."""
    killed: list[int] = []
    killpg = os.killpg

    def noted(group: int, number: int) -> None:
        killed.append(group)
        killpg(group, number)

    monkeypatch.setattr(module.os, "killpg", noted)
    with processes(tmp_path) as group:
        group.start("one", WAIT)
        first = group.pid("one")
        group.kill("one")
        assert group.revive() == ["one"]
        second = group.pid("one")
    assert killed == [first, second]


def test_an_ended_process_takes_what_it_left_with_it(tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! >{tmp_path}/left; exit 3"
    with processes(tmp_path) as group:
        group.start("one", ["/bin/sh", "-c", script])
        wait_until(lambda: not group.is_up("one"), "its end")
        left = Path(f"/proc/{(tmp_path / 'left').read_text().strip()}")
        assert left.exists()
        assert group.revive() == ["one"]
        wait_until(lambda: is_over(left), "the end of the rest")


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_the_web_app_says_itself_whether_it_is_ready(status: int, ready: bool) -> None:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with LoopbackServer(Handler) as server:
        assert is_ready(server.root) is ready


def test_where_nobody_listens_nothing_is_ready(closed_port: int) -> None:
    assert not is_ready(f"http://127.0.0.1:{closed_port}")


def test_children_keep_what_they_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    look = "import sys; print('writes', not sys.dont_write_bytecode, flush=True)"
    with processes(tmp_path) as group:
        group.start("one", [sys.executable, "-c", look])
        wait_until(lambda: not group.is_up("one"), "its end")
    assert (tmp_path / "one.log").read_text() == "writes True\n"


def test_a_port_is_had_once() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert url_of(first) == f"http://127.0.0.1:{port}" and first.fileno() >= 10
        with pytest.raises(PortTaken, match=f"port {port}: Address already in use"):
            listen("127.0.0.1", port)
