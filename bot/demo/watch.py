"""Shows a run's log live."""

import time

from rich.console import Console
from rich.markup import escape

from bot.log.events import Entry, PhaseDelayed, PhaseFinished, PhaseStarted, Prepared, Published, RunEnded
from bot.log.state import RunState, fold
from bot.storage.store import Store
from bot.worker.processes import Processes
from runners.contract.events import ModelReplied, SpecWritten, ToolCalled, VerdictReached
from runners.policy.plaintext import without_controls


def watch(
    store: Store, group: Processes, console: Console, target: str, patience: float
) -> tuple[str, RunState]:
    """Print the log of the run on `target` until it ends and its status is posted, at most `patience`
    seconds."""
    deadline = time.monotonic() + patience
    state, run_id = RunState(), ""
    while time.monotonic() < deadline:
        group.check()
        run_id = run_id or next((row.id for row in store.list_runs(target=target)), "")
        new = store.entries(run_id, after=state.seq) if run_id else []
        for entry in new:
            for line in describe(entry):
                console.print(line)
        state = fold(new, state)
        if state.status != "active" and store.reports.is_current(run_id):
            return run_id, state
        time.sleep(0.1)
    console.print(f"[red]The run did not end within {patience:.0f} s.[/]")
    return run_id, state


def describe(entry: Entry) -> list[str]:
    """An entry in one or more lines of rich's markup."""
    event = entry.event
    match event:
        case PhaseStarted():
            return [f"[bold cyan]{event.phase}[/]"]
        case Prepared():
            return [f"  base {event.base[:12]} of {event.base_branch}, branch {event.branch}"]
        case SpecWritten():
            return [f"  {_plain(event.path)}, locked", *(f"  • {_plain(name)}" for name in event.scenarios)]
        case ModelReplied():
            said = event.reply.text.strip().splitlines() if event.phase == "implement" else []
            return [f"  [italic]{_plain(said[0][:110])}[/]"] if said else []
        case ToolCalled():
            mark = "[green]✔[/]" if event.ok else "[red]✘[/]"
            return [f"  {mark} {_plain(event.call.name)} [dim]{_plain(_short(event.call.arguments))}[/]"]
        case VerdictReached():
            lines = [
                f"  {'[green]✔[/]' if proof.proven or proof.unchanged else '[red]✘[/]'} "
                f"{_plain(proof.name)}: "
                f"{proof.base} before, {proof.head} after"
                for proof in event.verdict.scenarios
            ]
            return [*lines, *(f"  [red]{_plain(problem.message)}[/]" for problem in event.verdict.problems)]
        case Published():
            return [f"  pull request #{event.pull} at {event.commit[:12]}"]
        case PhaseDelayed():
            return [f"  [yellow]{_plain(event.reason)} Again in {event.seconds:.0f} s.[/]"]
        case PhaseFinished() if event.reason:
            return [f"  [yellow]{_plain(event.reason)}[/]"]
        case RunEnded():
            return [f"[bold]{event.status}[/]\n"]
        case _:
            return []


def _plain(text: str) -> str:
    """Strangers' text in rich's markup: it neither formats nor commands the terminal."""
    return escape(without_controls(" ".join(text.split())))


def _short(arguments: str) -> str:
    flat = " ".join(arguments.split())
    return flat if len(flat) <= 90 else flat[:89] + "…"
