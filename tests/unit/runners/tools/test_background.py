import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.sandbox.bubblewrap import Sandbox
from runners.tools.backends.processes import MAX_COMMANDS, BackgroundCommands
from runners.tools.base import ToolContext
from tests.support.tool_context import call, context
from tests.support.waiting import wait_until

SERVER = "python3 -u -m http.server 8123 --bind 127.0.0.1"
FETCH = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8123/page', timeout=60).read())"


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[ToolContext]:
    made = context(tmp_path)
    with BackgroundCommands(made.sandbox, 60) as background:
        yield context_with(made, background)


def context_with(ctx: ToolContext, background: BackgroundCommands) -> ToolContext:
    return ToolContext(**{**ctx.__dict__, "resources": (background,)})


def wait_for(ctx: ToolContext, number: int, said: str) -> str:
    def heard() -> str:
        text = call(ctx, "poll_command", number=number, wait_s=0.1).text
        return text if said in text else ""

    return wait_until(heard, f"the output {said!r}")


def test_a_server_under_test_is_reached_by_other_commands(ctx: ToolContext) -> None:
    (ctx.root / "page").write_text("hello")
    started = call(ctx, "start_command", command=SERVER)
    assert started.ok and started.data == {"number": 1, "running": True, "exit_code": None}
    wait_for(ctx, 1, "Serving HTTP")
    assert "b'hello'" in call(ctx, "shell", command=f'python3 -c "{FETCH}"').text
    assert "GET /page" in wait_for(ctx, 1, "GET /page")
    assert call(ctx, "stop_command", number=1).text.startswith("Command 1 was stopped.")
    assert "refused" in call(ctx, "shell", command=f'python3 -c "{FETCH}"').text
    assert "was stopped" in call(ctx, "poll_command", number=1).text


def test_the_shared_network_leads_nowhere_else(ctx: ToolContext) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split("port ")[1].split()[0]
        reach = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('reached')"
        # The control: the very same line reaches it from outside.
        assert (
            "reached" in subprocess.run([sys.executable, "-c", reach], capture_output=True, text=True).stdout
        )
        call(ctx, "start_command", command="sleep 30")
        inside = call(ctx, "shell", command=f'python3 -c "{reach}"')
        server.kill()
    assert "Connection refused" in inside.text
    away = call(
        ctx, "shell", command="python3 -c \"import socket; socket.create_connection(('10.0.0.1', 80), 2)\""
    )
    assert "unreachable" in away.text
    devices = call(ctx, "shell", command="tail -n +3 /proc/net/dev | cut -d: -f1").text
    assert devices.split() == ["Exit", "code", "0.", "lo"]


def test_how_it_ended(ctx: ToolContext) -> None:
    failed = call(ctx, "start_command", command="echo no; exit 3", wait_s=5)
    assert not failed.ok and failed.text == "Command 1 ended with exit code 3.\nno"
    assert call(ctx, "start_command", command="echo yes", wait_s=5).ok
    assert not call(ctx, "poll_command", number=9).ok
    assert "no background command 9" in call(ctx, "stop_command", number=9).text


def test_there_are_only_so_many(ctx: ToolContext) -> None:
    for _ in range(MAX_COMMANDS):
        assert call(ctx, "start_command", command="sleep 30", wait_s=0).ok
    assert "Stop one first" in call(ctx, "start_command", command="sleep 30").text
    call(ctx, "stop_command", number=2)
    assert call(ctx, "start_command", command="sleep 30", wait_s=0).ok


def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    mark = f"3{os.getpid()}"
    with BackgroundCommands(ctx.sandbox, 60) as background:
        background.start(f"(setsid sleep {mark} &); sleep {mark}")
        wait_until(lambda: len(running(mark)) >= 2, "both commands")
    wait_until(lambda: not running(mark), "their end")
    assert ctx.sandbox.enter == ()
    assert ctx.sandbox.run(["true"]).exit_code == 0


def test_its_output_is_bounded(ctx: ToolContext) -> None:
    call(ctx, "start_command", command="yes | head -c 3000000; echo end; sleep 30", wait_s=0)
    text = wait_for(ctx, 1, "end")
    assert "cut from the middle" in text and len(text) < 70_000


def test_an_ordinary_user_can_do_it_as_well(tmp_path: Path) -> None:
    """Somebody without any capability on the host: in a user namespace as a user other than root."""
    (tmp_path / "page").write_text("hello")
    program = (
        "from pathlib import Path; from runners.tools.backends.processes import BackgroundCommands; from "
        "runners.sandbox.bubblewrap import Sandbox\n"
        f"sandbox = Sandbox(Path({str(tmp_path)!r}))\n"
        "with BackgroundCommands(sandbox, 30) as background:\n"
        f"    background.start({SERVER!r})\n"
        "    for _ in range(100):\n"
        f"        done = sandbox.run(['python3', '-c', {FETCH!r}])\n"
        "        if done.exit_code == 0: break\n"
        "    print(open('/proc/self/status').read(), done.output)\n"
    )
    words = ["unshare", "--user", "--map-user=1234", "--map-group=1234", sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True)
    assert "b'hello'" in done.stdout, done.stderr + done.stdout
    assert "CapEff:\t0000000000000000" in done.stdout and "Uid:\t1234" in done.stdout


def running(mark: str) -> list[str]:
    """The processes of this machine that sleep for `mark` seconds."""
    line = f"sleep\0{mark}\0".encode()
    return [pid.name for pid in Path("/proc").iterdir() if pid.name.isdigit() and _line(pid).endswith(line)]


def _line(pid: Path) -> bytes:
    try:
        return (pid / "cmdline").read_bytes()
    except OSError:
        return b""


def test_without_the_resource_the_model_is_told(tmp_path: Path) -> None:
    ctx = context(tmp_path, sandbox=Sandbox(tmp_path))
    assert "has not set this up" in call(ctx, "start_command", command="true").text
