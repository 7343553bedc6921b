"""Memory that belongs to no process, files that take no room, many small ones, and set-user-ID programs."""

import contextlib
import os
import stat
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from runners.sandbox import bubblewrap, cgroups
from runners.sandbox import watch as watching
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.watch import DiskWatch
from tests.support.attacks import Attack

# Each takes 400 MB in a way that RLIMIT_DATA does not count, waits to be noticed, and says that it had them.
KINDS = {
    "shared memory": "held = mmap.mmap(-1, 400_000_000); fill(held)",
    "a file in memory, mapped": (
        "fd = os.memfd_create('x'); os.ftruncate(fd, 400_000_000); held = mmap.mmap(fd, 400_000_000); "
        "fill(held)"
    ),
    "a file in memory, not mapped": (
        "fd = os.memfd_create('x')\nfor _ in range(400): os.write(fd, b'x' * 1_000_000)"
    ),
    "several processes": (
        "for _ in range(4):\n    if os.fork() == 0: held = bytearray(b'x') * 100_000_000; time.sleep(4); "
        "os._exit(0)\n"
        "if any([os.wait()[1] for _ in range(4)]): os._exit(1)"
    ),
}
PROGRAM = """
import mmap, os, sys, time
def fill(memory):
    for at in range(0, len(memory), 4096): memory[at] = 1
{kind}
time.sleep({seconds})
print("had it", flush=True)
os._exit(0)
"""


@pytest.fixture(params=["with control groups", "without"])
def groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        none = contextlib.nullcontext(cgroups.Group(()))
        monkeypatch.setattr(bubblewrap, "control_group", lambda *_: none)


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("kind", KINDS)
def test_attack_take_memory_that_no_process_is_charged_for(workspace: Path, kind: str) -> None:
    def run(memory_mb: int, seconds: int) -> str:
        program = PROGRAM.format(kind=KINDS[kind], seconds=seconds)
        limits = CommandLimits(memory_mb=memory_mb, wall_s=120)
        done = Sandbox(workspace, limits=limits).run([sys.executable, "-c", program])
        assert not done.timed_out
        return done.output

    assert "had it" not in run(200, 60)
    assert "had it" in run(2000, 0)  # the control


def test_attack_take_memory_in_segments_of_system_v(workspace: Path) -> None:
    """A segment that nobody has mapped stays when its process has gone: only its size can be bounded."""
    program = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "made = lambda size: libc.shmget(0, ctypes.c_size_t(size), 0o1600)\n"
        "print(made(500_000) >= 0, made(400_000_000) >= 0, made(5_000_000_000) >= 0)"
    )
    run = [sys.executable, "-c", program]
    assert Sandbox(workspace).run(run).output == "True False False\n"
    assert (
        Sandbox(workspace, limits=CommandLimits(memory_mb=2_000_000)).run(run).output == "True True False\n"
    )


def test_attack_files_that_take_no_room_until_they_are_read(workspace: Path) -> None:
    run = ["bash", "-c", "truncate -s 900M a b c; sleep ${1:-0}; ls", "-"]
    narrow = Sandbox(workspace, limits=CommandLimits(disk_mb=1000, wall_s=120)).run([*run, "100"])
    assert narrow.disk_full and narrow.disk_mb > 1000
    assert not Sandbox(workspace, limits=CommandLimits(disk_mb=4000)).run([*run, "0.6"]).disk_full


@pytest.mark.parametrize("place", ["/workspace", "/tmp", "/home/agent", "/dev/shm"])
def test_attack_make_very_many_files(workspace: Path, place: str) -> None:
    run = [
        "bash",
        "-c",
        f"mkdir {place}/n; cd {place}/n; seq 2000 | xargs touch; sleep ${{1:-0}}; ls | wc -l",
        "-",
    ]
    done = Sandbox(workspace, limits=CommandLimits(files=1000, wall_s=120)).run([*run, "100"])
    assert done.disk_full and done.disk_files > 1000 and done.disk_mb < 100
    for each in workspace.glob("n/*"):
        each.unlink()
    (workspace / "n").rmdir() if place == "/workspace" else None
    assert Sandbox(workspace).run([*run, "0.6"]).output == "2000\n"  # the control


def test_a_large_tree_is_measured_in_steps(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a command has to see in time that it must end, however large a tree the command has
    made."""
    for number in range(20):
        (workspace / str(number)).mkdir()
        for file in range(100):
            (workspace / str(number) / str(file)).touch()
    now = 1000.0

    class Clock:
        @staticmethod
        def monotonic() -> float:
            nonlocal now
            now += 0.005
            return now

    monkeypatch.setattr(watching, "time", Clock)
    watch = DiskWatch([workspace], 1000, 1_000_000)
    seen = [0]
    while seen[-1] < 2020:
        watch.exceeded()
        seen.append(watch.files)
        assert len(seen) < 1000
    assert max(later - earlier for earlier, later in pairwise(seen)) < 600


MODES = {
    "chmod": "chmod u+s mine",
    "chmod with other bits": "chmod 6755 mine",
    "open": "python3 -c \"import os; os.open('other', os.O_CREAT, 0o4755)\"",
    "mknod": "python3 -c \"import os, stat; os.mknod('other', stat.S_IFREG | 0o4755)\"",
    "install": "install -m 4755 mine other",
    "fchmod": "python3 -c \"import os; os.fchmod(os.open('mine', os.O_RDONLY), 0o4755)\"",
}


@pytest.mark.parametrize("way", MODES)
def test_attack_leave_a_program_that_runs_as_the_host(
    workspace: Path, guarded: Attack, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left() -> bool:
        guarded(f"rm -f mine other; cp /bin/true mine; {MODES[way]}")
        return any(each.stat().st_mode & stat.S_ISUID for each in workspace.iterdir())

    assert not left()
    assert (
        guarded("chmod 751 mine; stat -c %a mine; mkdir -m 2770 shared && echo made").output == "751\nmade\n"
    )
    monkeypatch.setattr("runners.sandbox.seccomp.program", lambda **_: None)
    assert left()  # the control


def test_no_place_in_the_sandbox_honours_set_user_id(guarded: Attack) -> None:
    mounts = guarded("cat /proc/self/mountinfo").output.splitlines()
    assert len(mounts) > 5
    assert [line for line in mounts if "nosuid" not in line.split()[5].split(",")] == []


def test_what_a_command_makes_has_the_usual_permissions(guarded: Attack, workspace: Path) -> None:
    before = os.umask(0o077)
    try:
        guarded("touch file; mkdir folder")
    finally:
        os.umask(before)
    assert stat.S_IMODE((workspace / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((workspace / "folder").stat().st_mode) == 0o755
