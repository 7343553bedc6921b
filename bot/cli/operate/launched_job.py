"""The job of GitHub Actions that the bot has started for one run: `scenarist action` does its phases.

The job's own token of GitHub is not used, so the workflow can take all permissions from it.
"""

import json
import re
import shutil
import signal
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bot.cli.operate.ci_job import NotInAction
from bot.cli.process import require_sandbox
from bot.config.settings import Settings
from bot.runs.draining import Draining
from bot.storage.launches import Launch, launch_named
from runners.sandbox.scratch import make_state_folder, use_private_tmp

_CREDENTIALS = ("GITHUB_TOKEN", "SCENARIST_GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN")


@dataclass(frozen=True)
class LaunchedJob:
    """The values that the bot gave to the job: the launch, the web app's address, and the token."""

    launch: Launch
    url: str
    token: str


def launched_job(environ: MutableMapping[str, str]) -> LaunchedJob | None:
    """Return what the bot gave this job, or None if the bot did not start it. Raises `NotInAction`.

    Credentials are taken out of `environ`, so that no child process inherits them.
    """
    if environ.get("GITHUB_EVENT_NAME") != "workflow_dispatch":
        return None
    for name in _CREDENTIALS:
        environ.pop(name, None)
    try:
        inputs = json.loads(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())["inputs"]
        launch, url, token = launch_named(inputs["launch"]), str(inputs["url"]), str(inputs["token"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotInAction(f"The job's inputs cannot be read: {type(error).__name__}.") from None
    if launch is None or not re.fullmatch(r"https?://\S+", url):
        raise NotInAction("The job's inputs name no launch, or no address of a web app.")
    return LaunchedJob(launch, url, token)


def run_launched(settings: Settings, job: LaunchedJob, environ: MutableMapping[str, str]) -> int:
    """Do the phases of the job's run. Returns the exit status 0; raises `ScenaristError`s."""
    from bot.worker.remote import work_remotely

    print(f"::add-mask::{job.token}", flush=True)
    require_sandbox(settings)
    if "state_dir" not in settings.model_fields_set:
        folder = Path(environ.get("RUNNER_TEMP", ".")) / "scenarist"
        settings = settings.model_copy(update={"state_dir": folder})
    make_state_folder(settings.state_dir)
    scratch = use_private_tmp(settings.state_dir)
    draining = Draining(scratch / "stopping", settings.stop_seconds)

    def stop(_number: int, _frame: FrameType | None) -> None:
        draining.begin()

    # GitHub sends the first one when a job is cancelled, and the second one 7.5 seconds later.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        work_remotely(settings, job.launch, job.url, job.token, draining, "actions")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0
