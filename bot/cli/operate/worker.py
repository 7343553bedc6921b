"""`scenarist worker`."""

import atexit
import os
import shutil
import signal
from collections.abc import Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Annotated

import typer
from celery.signals import worker_process_init

from bot.cli.options import ALL_QUEUES, Queues, queue_names
from bot.cli.process import require_sandbox
from bot.config.limits import database_urls, load_limits
from bot.config.settings import RUN_TOKEN, Settings, load_settings
from bot.runs.draining import Draining
from bot.storage.database import connect
from bot.storage.launches import Launch
from bot.telemetry.logs import start_logging
from bot.telemetry.watching import share_counts
from bot.worker.celery_app import make_celery, register_tasks
from runners.sandbox.process import hide_from_same_user
from runners.sandbox.scratch import use_private_tmp


def worker(
    queues: Queues = ALL_QUEUES,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    once: Annotated[
        str,
        typer.Option(metavar="RUN", help="Do the next `runs` phases of this run, and exit."),
    ] = "",
    fence: Annotated[
        int | None, typer.Option(min=0, help="With --once: only if the run still has this fence.")
    ] = None,
    web: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="With --once and --fence: work through the web app there, with the token in "
            "SCENARIST_RUN_TOKEN, and without database and broker.",
        ),
    ] = "",
    next_run: Annotated[
        bool,
        typer.Option("--next", help="Do the next `runs` phases of the run that is due longest, and exit."),
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="With --next: how long to wait for a run.")
    ] = 0.0,
) -> None:
    """Run a Celery worker, or do the next phases of one run and exit.

    The queues `intake` and `publish` need the forge's credentials; `runs` must not have them.
    """
    settings = load_settings()
    start_logging(settings)
    if once or next_run:
        _one_run(settings, once, fence, web, wait)
        return
    names = queue_names(queues)
    if "runs" in names:
        require_sandbox(settings)
        database_urls(load_limits(settings.limits_file))
    celery = make_celery(settings.broker_url, settings.reap_seconds)
    scratch = use_private_tmp(settings.state_dir)
    register_tasks(celery, settings, names, Draining(scratch / "stopping", settings.stop_seconds))
    if settings.metrics_address:
        _serve_metrics(settings, names, scratch)
    if concurrency > 1:
        _preload()
    arguments = [
        *("worker", "--queues", ",".join(names), "--concurrency", str(concurrency)),
        *("--pool", "prefork", "--loglevel", "WARNING", "--hostname", f"{'-'.join(names)}-{os.getpid()}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    if "intake" in names:
        # Without a file: the beat process would write it after the worker has removed the folder.
        arguments += ["--beat", "--scheduler", "celery.beat:Scheduler"]
    # After multiprocessing has removed its own folder in there (priority -100), or it logs a stack trace.
    Finalize(None, shutil.rmtree, (scratch,), {"ignore_errors": True}, exitpriority=-200)
    celery.worker_main(arguments)


def _one_run(settings: Settings, run_id: str, fence: int | None, web: str, wait_s: float) -> None:
    """Do the next phases of this run, or without an id those of the run that is due longest."""
    if web and (not run_id or fence is None):
        raise typer.BadParameter("it needs --once and --fence", param_hint="--web")
    token = os.environ.pop(RUN_TOKEN, "")
    require_sandbox(settings)
    if settings.unsafe_no_sandbox:
        hide_from_same_user()
    scratch = use_private_tmp(settings.state_dir)
    # Not earlier: temporary files of this process are in there to its end.
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    draining = Draining(scratch / "stopping", settings.stop_seconds)
    if web and fence is not None:
        from bot.worker.remote import work_remotely

        signal.signal(signal.SIGTERM, lambda _number, _frame: draining.begin())
        work_remotely(settings, Launch(run_id=run_id, fence=fence), web, token, draining, "kubernetes")
        return
    from bot.worker.once import work_next, work_once

    if run_id:
        work_once(settings, run_id, fence, draining)
    else:
        work_next(settings, wait_s, draining)


def _serve_metrics(settings: Settings, queues: Sequence[str], scratch: Path) -> None:
    """Serve metrics and health from this process, in which no task runs; its children count in a folder."""
    os.environ.update(share_counts(scratch / "metrics"))
    from bot.telemetry.exposition import Exposition
    from bot.telemetry.health import Health
    from bot.telemetry.server import TelemetryServer

    health = Health(settings, connect(settings.database), queues)
    server = TelemetryServer(settings.metrics_address, Exposition(settings, None).text, health)
    worker_process_init.connect(lambda **_: server.forget(), weak=False)


def _preload() -> None:
    """Import what each process needs before they are forked, so that they share its memory."""
    import gc

    import bot.worker.untrusted
    import bot.worker.worker  # noqa: F401
    from runners.models.vllm import preload

    preload()
    gc.collect()
    gc.freeze()
