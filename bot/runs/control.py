"""Pause, resume, cancel or retry a run; the command line, HTTP and Celery all call this."""

from bot.log.events import PHASES_TO_RETRY, Controlled
from bot.storage.store import Store
from gherkin.errors import ScenaristError

CONTROLS = ("pause", "resume", "cancel", "retry")


class RunUnknown(ScenaristError):
    """No run has this id."""

    code = "SCN-7004"
    next_step = "`scenarist runs` lists the newest ones."


class ControlRefused(ScenaristError):
    """The run is not in a state in which it can be paused, resumed, cancelled or retried."""

    code = "SCN-7007"
    next_step = "`scenarist runs` shows the state of each."


def control_run(
    store: Store, run_id: str, control: str, *, by: str, where: str, phase: str | None = None
) -> None:
    """Do `control` (pause, resume, cancel or retry) to a run in the name of `by`.

    `where` says where the request came from, and a retry begins at `phase`. Raises `RunUnknown`, and
    `ControlRefused` if there is no such control or the run's state does not allow it.
    """
    if not store.has_run(run_id):
        raise RunUnknown(f"There is no run {run_id}.")
    if control not in CONTROLS:
        raise ControlRefused(f"{control} is not one of {', '.join(CONTROLS)}.")
    if control == "retry" and phase not in PHASES_TO_RETRY:
        raise ControlRefused(f"A retry begins at one of {', '.join(PHASES_TO_RETRY)}.")
    event = Controlled.model_validate(
        {
            "control": control,
            "by": by,
            "phase": phase if control == "retry" else None,
            "reason": f"By {by} {where}.",
        }
    )
    if not store.control(run_id, event):
        found = store.status(run_id)
        raise ControlRefused(f"Run {run_id} is {found[0] if found else 'gone'}: {control} does nothing.")
