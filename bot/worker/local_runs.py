"""Run one issue on a clone on this machine, with a local forge in a folder and all phases in this process."""

import fcntl
import getpass
import hashlib
import logging
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from bot.config.settings import Settings
from bot.forges.forge import Pull, Repo
from bot.forges.local.adapter import LocalForge
from bot.forges.registry.adapters import Forges
from bot.forges.registry.receivers import receivers
from bot.intake.deliveries import Deliveries, Delivery
from bot.intake.handler import IntakeHandler
from bot.log.state import RunState
from bot.storage.database import migrate
from bot.storage.store import new_id, open_store
from bot.telemetry.logs import start_logging
from bot.worker.inline import drive_shown, inline_driver
from bot.worker.worker import make_reporter
from gherkin.errors import ScenaristError
from runners.contract.job import FEATURE, PATCH
from runners.git.command import git
from runners.git.lfs import pointers_of, wanted
from runners.git.lfs_fetch import take_large_files
from runners.git.local import commit_of, common_dir, fetch_refs, git_dir_of
from runners.sandbox.scratch import make_state_folder


class RunRefused(ScenaristError):
    """The issue started no run on the repository on this machine."""

    code = "SCN-7018"
    next_step = "Read the log that is named; `scenarist doctor` checks the machine."


class LocalRuns:
    """The runs for one issue on the repository at `repo`, from its commit `base`.

    Only `bring` changes the repository: it adds a branch. State and log are in `state_folder`. Raises
    `NotARepository` and `GitFailed`.
    """

    def __init__(self, settings: Settings, repo: Path, base: str) -> None:
        self._git_dir = git_dir_of(repo)
        self._base = commit_of(self._git_dir, base)
        folder = state_folder(settings)
        make_state_folder(folder)
        self.log_file = folder / "run.log"
        start_logging(settings, self.log_file)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._settings = settings.model_copy(
            update={"state_dir": folder, "database_url": "", "public_url": ""}
        )
        self.store = open_store(self._settings.database)
        migrate(self.store.engine)
        self._forges = Forges(self._settings, self.store)
        self._deliveries = Deliveries(self.store.engine)
        self._begun: list[str] = []
        self._intake = IntakeHandler(
            self.store,
            self._deliveries,
            self._forges,
            receivers(self._settings),
            self._begun.append,
            lambda _run: None,
        )
        self._forge = LocalForge(self.store.engine, folder / "forge", send=self._deliver)
        self._repo = clone_name(repo)
        self._person = _slug(getpass.getuser())
        self._issue = 0

    def begin(self, title: str, body: str, number: int) -> str:
        """Open the issue on the local forge and set the label; returns the run's id.

        The issue gets the number `number`, unless that is 0 or taken. Commits and texts name `number`,
        or none if it is 0. Raises `RunRefused` if no run started.
        """
        forge, path = self._forge, self._forge.path(self._repo)
        branch = (
            git("symbolic-ref", "--quiet", "--short", "HEAD", git_dir=self._git_dir, check=False) or "main"
        )
        # Other processes may begin a run on the same repository at this moment.
        with (self._settings.state_dir / "begin.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not path.is_dir():
                forge.create_repo(self._repo, {self._person: "admin"})
            fetch_refs(path, self._git_dir, [f"+{self._base}:refs/heads/{branch}"])
            take_large_files(path, wanted(pointers_of(path, self._base)), common_dir(self._git_dir))
            git("symbolic-ref", "HEAD", f"refs/heads/{branch}", git_dir=path)
        issue = forge.open_issue(self._repo, self._person, title, body, number=number, known_as=number)
        self._issue = issue.number
        forge.add_label(self._repo, self._issue, self._settings.trigger_label, self._person)
        return self._newest()

    def begun(self, number: int) -> str:
        """Return the newest run on issue `number` of the repository, to continue it; empty: there is none."""
        found = self.store.list_runs(limit=1, target=f"local:{self._repo}:issue:{number}")
        self._issue = number
        return found[0].id if found else ""

    def say(self, text: str) -> str:
        """Comment on the issue; returns the id of the run to continue, which may be a new one."""
        self._forge.add_comment(self._repo, self._issue, self._person, text)
        return self._newest()

    def work(self, run_id: str, console: Console) -> RunState:
        """Do the run's phases and print its log, until it ends or waits for a person.

        On `KeyboardInterrupt` it cancels the run, so that no part of it continues, and raises the exception
        again.
        """
        driver = inline_driver(
            self._settings,
            self.store,
            self._forges,
            make_reporter(self._settings),
            worker=f"run {os.getpid()}",
            changed=lambda _run, _following: None,
        )
        return drive_shown(self.store, driver, run_id, console, self._cancel)

    def _cancel(self) -> None:
        self.say("/agent cancel")

    def feature(self, run_id: str) -> str:
        """Return the text of the run's feature file."""
        return (self.store.artifact(run_id, FEATURE) or b"").decode(errors="replace")

    def pull(self, state: RunState) -> Pull | None:
        """Return the run's pull request on the local forge, or None if there is none."""
        return self._forge.pull(Repo(full_name=self._repo), state.published.pull) if state.published else None

    def diff(self, pull: Pull) -> str:
        """Return the diff of the pull request."""
        return git("diff", pull.base, pull.head, git_dir=self._forge.path(self._repo))

    def bring(self, pull: Pull) -> str:
        """Fetch the branch into the repository under a name that is not used there; returns the name."""
        name, number = pull.head, 1
        while git("for-each-ref", f"refs/heads/{name}", git_dir=self._git_dir):
            number += 1
            name = f"{pull.head}-{number}"
        source = self._forge.path(self._repo)
        fetch_refs(self._git_dir, source, [f"refs/heads/{pull.head}:refs/heads/{name}"])
        return name

    def patch(self, run_id: str) -> Path | None:
        """Write the work of a run without a branch to a patch file; returns its path, None without work."""
        data = self.store.artifact(run_id, PATCH)
        if not data:
            return None
        file = self._settings.state_dir / f"{run_id}.patch"
        file.write_bytes(data)
        return file

    def _newest(self) -> str:
        if not self._begun:
            raise RunRefused(f"The issue started no run. {self.log_file} says why.")
        return self._begun[-1]

    def _deliver(self, headers: Mapping[str, str], body: bytes) -> None:
        delivery = Delivery(
            id=new_id(), forge="local", guid=str(uuid.uuid4()), event=headers["X-GitHub-Event"], body=body
        )
        self._deliveries.add([delivery])
        self._intake.handle(delivery.id)


def clone_name(repo: Path) -> str:
    """Return the name on the local forge of the repository at `repo`. Raises `NotARepository`."""
    known = hashlib.sha256(str(git_dir_of(repo)).encode()).hexdigest()[:8]
    return f"clones/{_slug(repo.resolve().name)}-{known}"


def state_folder(settings: Settings) -> Path:
    """Return SCENARIST_STATE_DIR if it is set, else a folder of the user outside of repositories."""
    if "state_dir" in settings.model_fields_set:
        return settings.state_dir.resolve()
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "scenarist"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "x"
