"""`scenarist up`: run the web app, the workers and Redis on one machine, each in its own process."""

import contextlib
import fcntl
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import typer

from bot.config.limits import load_limits
from bot.config.models import read_models, require_models
from bot.config.settings import Settings, has_forge
from bot.storage.database import connect, migrate
from bot.telemetry.watching import share_counts
from bot.worker.processes import (
    Processes,
    is_ready,
    listen,
    processes,
    sigterm_interrupts,
    start_redis,
    url_of,
    wait_for,
)
from gherkin.errors import ScenaristError
from runners.environment.registries import package_settings
from runners.sandbox.scratch import make_state_folder

log = logging.getLogger(__name__)

# Settings that the runner must not see, because it works beside untrusted code.
API_CREDENTIALS = (
    "SCENARIST_GITHUB_PRIVATE_KEY_FILE",
    "SCENARIST_GITHUB_PRIVATE_KEY",
    "SCENARIST_GITHUB_TOKEN",
    "SCENARIST_GITHUB_APP_ID",
    "SCENARIST_GITLAB_TOKEN",
)
CREDENTIALS = (
    *API_CREDENTIALS,
    "SCENARIST_GITHUB_WEBHOOK_SECRET",
    "SCENARIST_LOCAL_WEBHOOK_SECRET",
    "SCENARIST_GITLAB_WEBHOOK_TOKEN",
    "SCENARIST_GITLAB_SIGNING_TOKEN",
    "SCENARIST_CONTROL_TOKEN",
    "SCENARIST_METRICS_TOKEN",
    "SCENARIST_SESSION_SECRET",
    "SCENARIST_RUNNER_SECRET",
    "SCENARIST_GITHUB_CLIENT_SECRET",
    "SCENARIST_GITLAB_CLIENT_SECRET",
)
MODEL_KEYS = ("SCENARIST_MODEL_API_KEY", "SCENARIST_ANTHROPIC_API_KEY")


class AlreadyUp(ScenaristError):
    """Another `scenarist up` uses the same state folder."""

    code = "SCN-7015"
    next_step = "Stop the other one, or set SCENARIST_STATE_DIR to another folder for this one."


def environment(settings: Settings, broker_url: str) -> dict[str, str]:
    """Return the current settings as environment variables for child processes."""
    env = {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
    env["SCENARIST_BROKER_URL"] = broker_url
    for name, value in settings.model_dump().items():
        if name == "broker_url" or value in (None, ""):
            continue
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if plain != "":
            env["AGENT_RUNTIME_MODE" if name == "runtime" else f"SCENARIST_{name.upper()}"] = str(plain)
    return env


def operator_token(file: Path) -> str:
    """Return the token in `file`, which is made where it is missing and which only this account can read."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "w") as made:  # noqa: PTH123 - a descriptor
            made.write(secrets.token_urlsafe(24))
    return file.read_text().strip()


def named_secrets(settings: Settings) -> dict[str, str]:
    """Return the environment variables that the operator's files name; only the runner gets them.

    Raises `LimitsInvalid` and `ModelsInvalid`.
    """
    sources = [*load_limits(settings.limits_file).databases.values()]
    if settings.models_file is not None:
        models = read_models(settings.models_file)
        sources += [spec.key for spec in models.runtimes.values() if spec.key]
        for server in models.mcp.values():
            sources += [*server.env.values(), *server.headers.values()]
    return {source.env: os.environ[source.env] for source in sources if source.env in os.environ}


def run_up(settings: Settings, host: str, port: int) -> None:
    """Run until Ctrl-C or SIGTERM, and restart processes that end; `port` 0 means any free port.

    Raises `PortTaken`, `AlreadyUp`, and `ProcessDied` when a process keeps ending.
    """
    state = settings.state_dir.resolve()
    make_state_folder(state)
    with (
        sigterm_interrupts(),
        _alone(state),
        listen(host, port) as listener,
        processes(state / "logs", settings.stop_seconds + 5) as group,
    ):
        try:
            migrate(connect(settings.database))
            env = environment(settings, start_redis(group, state / "redis"))
            token_file = None if settings.control_token.get_secret_value() else state / "operator-token"
            if token_file is not None:
                env["SCENARIST_CONTROL_TOKEN"] = operator_token(token_file)
            start_all(group, env, listener, named_secrets(settings))
            wait_for(lambda: is_ready(url_of(listener)), group, "The web app")
            port = listener.getsockname()[1]
            typer.echo(f"Scenarist listens on http://{host}:{port}; logs are in {state / 'logs'}.")
            if token_file is not None:
                typer.echo(f"Its pages are there, too; sign in with the token in {token_file}.")
            # In a thread, since a model server that hangs is asked.
            threading.Thread(target=_tell_next, args=(settings,), daemon=True).start()
            while True:
                for name in group.revive():
                    log.warning("%s had ended and was started again", name)
                time.sleep(1)
        except KeyboardInterrupt:
            typer.echo("Stopping.")


def _tell_next(settings: Settings) -> None:
    """Say what keeps runs from starting, or how to start one."""
    missing = []
    if not has_forge(settings):
        missing.append("No forge is set up: `scenarist setup github` or `scenarist setup gitlab PROJECT`.")
    try:
        require_models(settings)
    except ScenaristError as error:
        missing.append(f"Runs cannot use a model yet: {error}")
    typer.echo("\n".join(missing or [f"Next: set the label {settings.trigger_label} on an issue."]))


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Lock the state folder, in which two `scenarist up` would use the same Redis. Raises `AlreadyUp`."""
    with (state / "up.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise AlreadyUp(
                f"Another `scenarist up` uses {state} (process {handle.read().strip()})."
            ) from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield


def start_all(
    group: Processes,
    env: dict[str, str],
    web: socket.socket | int,
    runner_env: Mapping[str, str] | None = None,
) -> None:
    """Start the web app and one worker for each queue; each gets only the secrets that it needs.

    `web` is a listening socket for the web app (see `listen`), or a port on 127.0.0.1 that it opens itself.
    `runner_env` is added to the environment of the `runs` worker.
    """
    # The web app shows what all processes count.
    env = {**env, **share_counts(Path(env["SCENARIST_STATE_DIR"]) / "metrics")}
    address = {name: env.pop(name) for name in ("SCENARIST_METRICS_ADDRESS",) if name in env}
    without_model = {name: value for name, value in env.items() if name not in MODEL_KEYS}
    web_env = {name: value for name, value in without_model.items() if name not in API_CREDENTIALS} | address
    without_forge = {name: value for name, value in env.items() if name not in CREDENTIALS}
    if isinstance(web, int):
        group.start_command("web", ("serve", "--port", str(web)), web_env)
    else:
        fd = web.fileno()
        group.start_command("web", ("serve", "--fd", str(fd)), web_env, pass_fds=(fd,))
    for queue in ("intake", "publish"):
        group.start_command(queue, ("worker", "--queues", queue), without_model)
    at_once = env.get("SCENARIST_RUNS_AT_ONCE", "1")
    worker = ("worker", "--queues", "runs", "--concurrency", at_once)
    group.start_command("runs", worker, {**without_forge, **package_settings(), **(runner_env or {})})
