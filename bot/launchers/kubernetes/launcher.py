"""Launch runs as Kubernetes Jobs."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from bot.launchers.kubernetes.api import Api
from bot.launchers.kubernetes.ends import failure_of, has_ended
from bot.launchers.kubernetes.manifest import Manifest, job_manifest, launch_of, selector
from bot.launchers.kubernetes.values import JobValues
from bot.launchers.launcher import Launched
from bot.storage.launches import Launch, WaitingRun
from runners.contract.operator_limits import Runner

log = logging.getLogger(__name__)


class KubernetesLauncher:
    """A Job for each launch, made from the operator's values.

    The Job has the launch's name, so the API server refuses a second one (409), whoever asks for it.
    """

    runner: Runner = "kubernetes"

    def __init__(self, values: JobValues, token_of: Callable[[Launch], str] = lambda _launch: "") -> None:
        """`token_of` makes the tokens for the web app, where pods work through it."""
        self._values = values
        self._token_of = token_of
        self._api = Api(values, selector(values))
        self.most = values.jobs_at_once

    def launch(self, run: WaitingRun) -> None:
        """Make the Job of a run; see `Launcher`."""
        if not self._api.create_job(job_manifest(self._values, run, self._token_of(run.launch))):
            log.info("the Job %s is there already", run.launch.name)

    def launched(self) -> Sequence[Launched]:
        """Return the launches of the Jobs that exist; see `Launcher`."""
        jobs = self._api.jobs()
        pods: dict[str, list[Manifest]] = {}
        # The pods are listed after the Jobs, so they are not older than what the Jobs' status says.
        for pod in self._api.pods() if jobs else []:
            labels = pod["metadata"].get("labels", {})
            pods.setdefault(labels.get("batch.kubernetes.io/job-name", ""), []).append(pod)
        found = []
        for job in jobs:
            launch = launch_of(job)
            # A Job that is being deleted may keep its name for a while; it does nothing any more.
            if launch is not None and "deletionTimestamp" not in job["metadata"]:
                own = pods.get(launch.name, [])
                failure = failure_of(job, own, time.time(), self._values.start_seconds)
                found.append(Launched(launch, ended=has_ended(job), failure=failure))
        return found

    def stop(self, launch: Launch) -> None:
        """Delete the Job of a launch with its pods; see `Launcher`."""
        self._api.delete_job(launch.name)

    def watching(self, changed: Callable[[], None]) -> AbstractContextManager[None]:
        """Watch the Jobs; see `Launcher`."""
        return self._api.watching(changed)
