"""Ways to use up the machine, and to stay on it."""

import contextlib
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from runners.git.command import GitFailed
from runners.git.workspaces import Workspaces
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.watch import size_of
from tests.support.waiting import wait_until

SOON = CommandLimits(wall_s=2)


def running(mark: str) -> int:
    count = 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += mark.encode() in entry.read_bytes() and entry.parent.name != str(os.getpid())
        except OSError:
            continue
    return count


BOMB = """
import os, sys, time
made = 0
try:
    while made < 3000:
        if os.fork() == 0:
            time.sleep(30)
        made += 1
except OSError:
    pass
print(made)
sys.stdout.flush()
os._exit(0)
"""


def test_attack_fork_bomb(workspace: Path) -> None:
    run = [sys.executable, "-c", BOMB]
    made = Sandbox(workspace, limits=CommandLimits(processes=100, wall_s=20)).run(run).output.split()
    assert made and int(made[0]) < 110
    wide = Sandbox(workspace, limits=CommandLimits(processes=5000, wall_s=60)).run(run).output.split()
    assert wide and int(wide[0]) > 1000  # the control


def test_attack_memory_bomb(workspace: Path) -> None:
    run = [
        sys.executable,
        "-c",
        "x = bytearray(400_000_000); x[::4096] = b'1' * len(x[::4096]); print('had it')",
    ]
    small = Sandbox(workspace, limits=CommandLimits(memory_mb=200)).run(run)
    assert "had it" not in small.output and small.exit_code != 0
    assert "had it" in Sandbox(workspace, limits=CommandLimits(memory_mb=2000)).run(run).output


FILL = "for n in $(seq 1000); do head -c 2000000 /dev/zero >f$n || exit 1; done; echo full"


def test_attack_fill_the_disk_with_many_files(workspace: Path) -> None:
    done = Sandbox(workspace, limits=CommandLimits(disk_mb=50)).run(["bash", "-c", f"{FILL}; sleep 30"])
    assert done.disk_full and done.exit_code is None and done.disk_mb > 50
    for each in workspace.iterdir():
        each.unlink()
    wide = Sandbox(workspace, limits=CommandLimits(disk_mb=5000)).run(["bash", "-c", f"{FILL}; sleep 0.6"])
    assert "full" in wide.output and not wide.disk_full


def test_attack_fill_the_disk_with_one_file(workspace: Path) -> None:
    run = ["bash", "-c", "head -c 50000000 /dev/zero >big; stat -c %s big"]
    assert "20971520" in Sandbox(workspace, limits=CommandLimits(file_mb=20)).run(run).output
    assert "50000000" in Sandbox(workspace).run(run).output


@pytest.mark.parametrize("place", ["/tmp", "/home/agent", "/dev/shm"])
def test_attack_fill_the_memory_through_private_folders(workspace: Path, place: str) -> None:
    run = ["bash", "-c", f"for n in 1 2 3 4; do head -c 10000000 /dev/zero >{place}/$n || echo stopped; done"]
    assert "stopped" in Sandbox(workspace, limits=CommandLimits(file_mb=20)).run(run).output
    assert "stopped" not in Sandbox(workspace).run(run).output


def test_attack_a_gigabyte_of_output(workspace: Path) -> None:
    before = max_resident()
    done = Sandbox(workspace, limits=CommandLimits(wall_s=60)).run(
        ["bash", "-c", "head -c 1000000000 /dev/zero | tr '\\0' x"]
    )
    assert done.output_bytes == 1_000_000_000 and len(done.output) < 1_100_000 and done.truncated
    assert max_resident() - before < 50_000_000


def max_resident() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def test_attack_endless_output(workspace: Path) -> None:
    done = Sandbox(workspace, limits=SOON).run(["yes"])
    assert done.timed_out and done.truncated and len(done.output) < 1_100_000


def test_attack_one_endless_line(workspace: Path) -> None:
    done = Sandbox(workspace, limits=SOON).run(["bash", "-c", "yes | tr -d '\\n'"])
    assert done.timed_out and len(done.output) < 1_100_000


SURVIVE = (
    "(setsid bash -c 'exec -a {mark} sleep 300' >/dev/null 2>&1 &) ; (nohup bash -c 'exec -a {mark} "
    "sleep 300' &) ; echo done"
)


def test_attack_leave_a_survivor(workspace: Path) -> None:
    mark = f"survivor-{uuid.uuid4()}"
    script = SURVIVE.format(mark=mark)
    with subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as control:
        control.wait()
    wait_until(lambda: running(mark), "the survivor")
    subprocess.run(["pkill", "-9", "-f", mark], check=False)
    wait_until(lambda: not running(mark), "its end")
    assert "done" in Sandbox(workspace).run(["bash", "-c", script]).output
    assert running(mark) == 0


@pytest.mark.parametrize(
    "trick",
    ["trap '' TERM INT HUP QUIT", "kill -STOP 0", "kill -STOP -1; kill -STOP $$", "kill -9 1; kill -STOP 1"],
)
def test_attack_do_not_let_it_end(workspace: Path, trick: str) -> None:
    mark = f"stubborn-{uuid.uuid4()}"
    script = f"bash -c 'exec -a {mark} sleep 300' & {trick}; while :; do sleep 1; done"
    done = Sandbox(workspace, limits=SOON).run(["bash", "-c", script])
    assert done.timed_out
    assert running(mark) == 0


def test_attack_outlive_a_cancelled_run(workspace: Path) -> None:
    mark = f"cancelled-{uuid.uuid4()}"
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    script = f"trap '' TERM; (setsid bash -c 'exec -a {mark} sleep 300' &); sleep 300"
    assert Sandbox(workspace).run(["bash", "-c", script], cancel=cancel).cancelled
    assert running(mark) == 0


def test_attack_open_too_many_files(workspace: Path) -> None:
    program = (
        "f = []\ntry:\n    for _ in range(800): f.append(open('/dev/null'))\nexcept OSError: print('stopped')"
    )
    run = [sys.executable, "-c", program]
    assert Sandbox(workspace, limits=CommandLimits(open_files=100)).run(run).output == "stopped\n"
    assert Sandbox(workspace).run(run).output == ""


def test_attack_raise_ones_own_limits(workspace: Path) -> None:
    program = (
        "import resource as r\nfor l in (r.RLIMIT_CPU, r.RLIMIT_NOFILE, r.RLIMIT_FSIZE, r.RLIMIT_DATA):\n"
        "    try: r.setrlimit(l, (r.RLIM_INFINITY, r.RLIM_INFINITY)); print('raised')\n"
        "    except (ValueError, OSError): print('kept')"
    )
    assert Sandbox(workspace).run([sys.executable, "-c", program]).output == "kept\n" * 4


def test_attack_spin(workspace: Path) -> None:
    done = Sandbox(workspace, limits=CommandLimits(cpu_s=1, wall_s=30)).run(
        ["bash", "-c", "while :; do :; done"]
    )
    assert done.exit_code not in (0, None) and not done.timed_out and done.cpu_s < 3
    assert Sandbox(workspace, limits=SOON).run(["bash", "-c", "while :; do :; done"]).timed_out


def test_attack_a_tree_too_deep_to_remove(tmp_path: Path) -> None:
    """Folders within folders, beyond the longest path and the deepest recursion."""
    spaces = Workspaces(tmp_path / "state")
    mirror = spaces.mirror("local", "a/b")
    origin = tmp_path / "origin"
    for words in (
        ["init", "-q", "-b", "main", str(origin)],
        ["-C", str(origin), "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)
    commit = mirror.fetch(f"file://{origin}", "", ["main"])["main"]
    program = (
        "import os\nfor _ in range(3000):\n    os.mkdir('d' * 50)\n    os.chdir('d' * 50)\nopen('f', 'w')"
    )
    with spaces.worktree(mirror, commit, "run", "deep") as tree:
        assert Sandbox(tree.root).run([sys.executable, "-c", program]).exit_code == 0
        assert size_of(tree.root) > 0
        with contextlib.suppress(GitFailed):  # git has its own bound, and says so
            tree.commit("deep")
    assert list((spaces.state_dir / "work").glob("*")) == []


def test_attack_folders_that_cannot_be_removed(tmp_path: Path) -> None:
    """Without rights on its own folders, as an ordinary user's clean-up meets them."""
    program = (
        "from pathlib import Path\nfrom runners.sandbox.removal import remove_tree\nimport sys\n"
        "remove_tree(Path(sys.argv[1])); print(Path(sys.argv[1]).exists())"
    )
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "f").touch()
    (tree / "a" / "b").chmod(0o500)
    (tree / "a").chmod(0o000)
    user = ["unshare", "--user", "--map-user=1234", "--map-group=1234"]
    plain = (
        f"import shutil; shutil.rmtree({str(tree)!r}, ignore_errors=True); import os; "
        f"print(os.path.exists({str(tree)!r}))"
    )
    assert (
        subprocess.run([*user, sys.executable, "-c", plain], capture_output=True, text=True).stdout
        == "True\n"
    )
    done = subprocess.run([*user, sys.executable, "-c", program, str(tree)], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
