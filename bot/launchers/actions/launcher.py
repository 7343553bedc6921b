"""Launch runs as jobs of GitHub Actions, in the repository of the run.

The job gets the address of the web app and a token that lets it work on this run alone; its own token of
GitHub needs no permission. A job is found again by its name, which is the launch's.
https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
https://docs.github.com/en/rest/actions/workflow-runs
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from githubkit import GitHub

from bot.config.settings import Settings, SettingsInvalid
from bot.forges.forge import ForgeUnavailable, Repo
from bot.forges.github.app import AppTokens, app_of
from bot.forges.github.http import FreshToken, forge_errors, github_client
from bot.launchers.launcher import Launched, LauncherUnavailable, LaunchFailure, LaunchRefused
from bot.remote.tokens import Signer
from bot.storage.launches import Launch, WaitingRun, launch_named
from bot.storage.store import Store
from gherkin.errors import ScenaristError
from runners.contract.operator_limits import Runner

_PERMISSIONS = {"actions": "write"}
# A job is listed some seconds after it was asked for.
_LISTED_S = 60.0
_REPEATS = 3
_PAGE = 100
_MOST = 200


class JobFailed(ScenaristError):
    """A run's job in GitHub Actions ended before its work was done."""

    code = "SCN-6232"
    next_step = (
        "Open the job, and look at its log and its machine. The run is launched again a few times; after "
        "that, use `scenarist retry`."
    )


class NotOnGitHub(LaunchRefused):
    """A run is to be done in GitHub Actions, but its repository is not on GitHub."""

    code = "SCN-6233"
    next_step = "Set SCENARIST_RUNNER to another place, and allow `actions` in the limits file instead."


class ActionsLauncher:
    """The launcher of jobs in GitHub Actions. `workflow` is the file's name in `.github/workflows`."""

    runner: Runner = "actions"
    most = _MOST

    def __init__(
        self, store: Store, tokens: AppTokens, signer: Signer, *, api_url: str, public_url: str, workflow: str
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._signer = signer
        self._api_url = api_url
        self._public_url = public_url
        self._workflow = workflow
        self._asked: dict[Launch, float] = {}
        self._jobs: dict[Launch, list[tuple[Repo, int]]] = {}

    def launch(self, run: WaitingRun) -> None:
        """Start the workflow on the repository's default branch."""
        if run.launch in self._jobs or run.launch in self._asked:
            return
        if run.forge != "github":
            raise NotOnGitHub(f"{run.repo} is on {run.forge}.")
        request = self._store.requested(run.launch.run_id)
        repo = Repo(full_name=run.repo, installation=request.installation if request else 0)
        token = self._signer.launch_token(run.launch, self._store.clock())
        inputs = {"launch": run.launch.name, "url": self._public_url, "token": token}
        with self._api(repo) as (github, owner, name):
            found: Any = github.rest.repos.get(owner, name).json()
            github.rest.actions.create_workflow_dispatch(
                owner, name, self._workflow, ref=found["default_branch"], inputs=inputs
            )
        self._asked[run.launch] = time.monotonic()

    def launched(self) -> Sequence[Launched]:
        """Return the newest job of each launch, and what was asked for and is not listed yet.

        Whoever can start workflows chooses their names, so a job counts in the repository of its run alone.
        """
        newest: dict[Launch, Mapping[str, Any]] = {}
        self._jobs = {}
        for full_name, installation in self._store.repos_at("github", self.runner):
            repo = Repo(full_name=full_name, installation=installation)
            named = [(launch_named(str(job["display_title"])), job) for job in self._listed(repo)]
            own = self._store.repos_of(launch.run_id for launch, _ in named if launch is not None)
            for launch, job in named:
                if launch is None or own.get(launch.run_id) != ("github", full_name):
                    continue
                newest.setdefault(launch, job)
                if job["status"] != "completed":
                    self._jobs.setdefault(launch, []).append((repo, int(job["id"])))
        now = time.monotonic()
        self._asked = {
            launch: at for launch, at in self._asked.items() if launch not in newest and now - at < _LISTED_S
        }
        return [
            *(_launched(launch, job) for launch, job in newest.items()),
            *(Launched(launch) for launch in self._asked),
        ]

    def stop(self, launch: Launch) -> None:
        """Cancel the jobs of a launch that have not ended."""
        for repo, number in self._jobs.pop(launch, []):
            with self._api(repo) as (github, owner, name):
                github.rest.actions.cancel_workflow_run(owner, name, number)

    def watching(self, changed: Callable[[], None]) -> AbstractContextManager[None]:
        """Do nothing: jobs are looked at in intervals, and the database shows what they do."""
        return contextlib.nullcontext()

    def _listed(self, repo: Repo) -> list[Mapping[str, Any]]:
        """Return the newest jobs of the workflow in a repository, newest first."""
        with self._api(repo) as (github, owner, name):
            found: Any = github.rest.actions.list_workflow_runs(
                owner, name, self._workflow, event="workflow_dispatch", per_page=_PAGE
            ).json()
        return list(found["workflow_runs"])

    @contextlib.contextmanager
    def _api(self, repo: Repo) -> Iterator[tuple[GitHub[FreshToken], str, str]]:
        """A client for a repository; the forge's errors become the launcher's."""
        try:
            with forge_errors():
                self._tokens.token(repo, _PERMISSIONS)  # only then the name is known
                owner, name = self._tokens.name(repo).split("/")
                auth = FreshToken(lambda fresh: self._tokens.token(repo, _PERMISSIONS, fresh=fresh))
                with github_client(self._api_url, auth) as github:
                    yield github, owner, name
        except ForgeUnavailable as error:
            raise LauncherUnavailable(error.message) from error
        except (LaunchRefused, LauncherUnavailable):
            raise
        except ScenaristError as error:
            raise LaunchRefused(f"{error.message} The workflow is {self._workflow}.") from error


def actions_launcher(settings: Settings, store: Store) -> ActionsLauncher:
    """Return the launcher that the settings describe. Raises `SettingsInvalid` and `SecretTooShort`."""
    if not settings.public_url:
        raise SettingsInvalid("SCENARIST_PUBLIC_URL is needed: jobs reach the web app there.")
    return ActionsLauncher(
        store,
        app_of(settings),
        Signer(settings.runner_secret.get_secret_value()),
        api_url=settings.github_api_url,
        public_url=settings.public_url,
        workflow=settings.actions_workflow,
    )


def _launched(launch: Launch, job: Mapping[str, Any]) -> Launched:
    if job["status"] != "completed":
        return Launched(launch)
    if job["conclusion"] == "success":
        return Launched(launch, ended=True)
    error = JobFailed(f"The job ended as {job['conclusion']}: {job['html_url']}")
    return Launched(launch, ended=True, failure=LaunchFailure(error, _REPEATS))
