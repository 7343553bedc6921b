"""The labels that say where the newest run on an issue or pull request is."""

from collections.abc import Mapping

from bot.forges.forge import Label
from bot.log.state import RunState

WORKING = Label(name="agent:working", color="1d76db", description="Scenarist is working on this.")
WAITING = Label(name="agent:waiting", color="fbca04", description="Scenarist waits for an answer.")
FAILED = Label(name="agent:failed", color="d93f0b", description="Scenarist ended without a result.")
READY = Label(name="agent:ready", color="0e8a16", description="A proven change is ready for review.")
STATE_LABELS: Mapping[str, Label] = {each.name: each for each in (WORKING, WAITING, FAILED, READY)}


def label_of(state: RunState) -> str:
    """Return the name of the label that a run's state asks for; empty for none."""
    match state.status:
        case "active":
            return WORKING.name
        case "paused" | "needs_info":
            return WAITING.name
        case "done":
            return READY.name if state.published is not None else ""
        case "gave_up" | "failed":
            return FAILED.name
        case _:
            return ""
