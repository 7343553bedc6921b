"""A run's log as lines for a terminal, printed while the run goes on."""

import re
import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from bot.log.events import Entry, PhaseDelayed, PhaseFinished, PhaseStarted, Prepared, Published, RunEnded
from bot.log.state import RunState, fold
from bot.storage.store import Store
from runners.contract.events import ModelReplied, SpecWritten, ToolCalled, VerdictReached
from runners.policy.plaintext import for_terminal, without_controls


def follow(
    store: Store,
    console: Console,
    find_run: Callable[[], str],
    goes_on: Callable[[RunState, str], bool],
    patience: float,
) -> tuple[str, RunState]:
    """Print the log of a run as it grows; returns the run's id and its last state.

    `find_run` gives the run's id, empty while there is none yet. `goes_on(state, run_id)` says after each
    look whether to look again, and may raise. It ends after `patience` seconds at the latest.
    """
    deadline = time.monotonic() + patience
    state, run_id = RunState(), ""
    while time.monotonic() < deadline:
        run_id = run_id or find_run()
        new = store.entries(run_id, after=state.seq) if run_id else []
        for entry in new:
            for line in describe(entry):
                console.print(line)
        state = fold(new, state)
        if not goes_on(state, run_id):
            return run_id, state
        time.sleep(0.1)
    console.print(f"[red]The run did not end within {patience:.0f} s.[/]")
    return run_id, state


def describe(entry: Entry) -> list[str]:
    """Return an entry in one or more lines of rich's markup."""
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


def readable(body: str) -> str:
    """Markdown without what only a browser shows: comments and foldings."""
    text = re.sub(r"<!--.*?-->|</?(details|sub)>", "", for_terminal(body), flags=re.DOTALL)
    text = re.sub(r"\s*<br/?>\s*", " – ", text)
    return re.sub(r"<summary>(.*?)</summary>", r"**\1**", text).replace("<code>", "`").replace("</code>", "`")


def _plain(text: str) -> str:
    """Strangers' text in rich's markup: it neither formats nor commands the terminal."""
    return escape(without_controls(" ".join(text.split())))


def _short(arguments: str) -> str:
    flat = " ".join(arguments.split())
    return flat if len(flat) <= 90 else flat[:89] + "…"
