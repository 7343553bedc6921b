"""Do the next phases of one run where there is neither database nor broker."""

from bot.config.settings import Settings
from bot.remote.store import RemoteStore
from bot.runs.draining import Draining
from bot.runs.driver import Driver
from bot.storage.launches import Launch
from bot.worker.untrusted import untrusted_handlers
from runners.contract.operator_limits import Runner
from runners.git.workspaces import Workspaces


def work_remotely(
    settings: Settings, launch: Launch, url: str, token: str, draining: Draining, place: Runner
) -> None:
    """Do the phases of the launch's run that run repository code, as the web app at `url` hands them out.

    `place` is where this process is. If the run has moved on, nothing is done.
    """
    store = RemoteStore(url, token)
    workspaces = Workspaces(settings.state_dir)
    workspaces.sweep()
    driver = Driver(
        store,
        untrusted_handlers(settings, store, workspaces),
        worker=launch.name,
        lease_seconds=settings.lease_seconds,
        retry_seconds=settings.retry_seconds,
        changed=lambda _run, _following: None,  # the web app wakes the workers
        sandboxed=not settings.unsafe_no_sandbox,
        draining=draining,
        runner=place,
        place=place,
    )
    driver.work(launch.run_id, launch.fence)
