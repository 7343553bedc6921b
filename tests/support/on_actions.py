"""Self-hosted runners of GitHub Actions for the GitHub stand-in, and a dispatcher that starts their jobs.

A job is a real process with the environment of a job and no permission on GitHub. It reaches the web app
alone.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from bot.launchers.actions.launcher import actions_launcher
from bot.launchers.dispatcher import Dispatcher
from bot.runs.driver import Driver
from tests.support.harness import BotUnderTest
from tests.support.on_github import Both
from tests.support.waiting import polled

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "ci" / "scenarist.github-actions.yml"
RUNNER_SECRET = "a-secret-of-thirty-two-characters"


class DispatcherThread:
    """Within ``with`` a dispatcher in a thread, as `scenarist dispatch` is one."""

    def __init__(self, bot: BotUnderTest) -> None:
        driver = Driver(bot.store, {}, worker="dispatcher", lease_seconds=30, changed=lambda *_: None)
        launcher = actions_launcher(bot.settings, bot.store)
        self._dispatcher = Dispatcher(
            bot.store, launcher, driver, holder="dispatcher", lease_seconds=30, leave_seconds=0
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._dispatcher.run, args=(self._stopping, 0.3))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


def begin(both: Both, job: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    """Start the job's step as a self-hosted runner does."""
    github, bot = both
    folder.mkdir()
    event = folder / "event.json"
    event.write_text(json.dumps({"inputs": job["inputs"], "repository": {"full_name": github.repo}}))
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "workflow_dispatch",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_TOKEN": "ghs_without-any-permission",
        "RUNNER_TEMP": str(folder),
        "AGENT_RUNTIME_MODE": "local",
        "SCENARIST_MODEL_URL": bot.chat.url,
        "SCENARIST_MODEL_NAME": "scripted",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "action"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


class SelfHosted:
    """Within ``with`` a self-hosted runner that takes one job after the other.

    `done` holds each job that has ended, with the exit status of its process and what it said.
    """

    def __init__(self, both: Both, folder: Path) -> None:
        self.done: list[tuple[dict[str, Any], int, str]] = []
        self._both, self._folder = both, folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> "SelfHosted":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        github = self._both[0]
        for job in polled(github.take_job, self._stopping):
            with begin(self._both, job, self._folder / f"job-{job['id']}") as process:
                said, _ = process.communicate(timeout=300)
            github.end_workflow(job, "failure" if process.returncode else "success")
            self.done.append((job, process.returncode, said))
