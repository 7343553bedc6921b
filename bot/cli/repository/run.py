"""`scenarist run`: one issue on a repository of this machine, without server, forge or broker."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax

from bot.cli.options import AsJson
from bot.cli.process import require_sandbox
from bot.cli.repository.issue_text import ISSUE, read_issue
from bot.config.models import require_models
from bot.config.settings import load_settings
from bot.log.state import RunState
from bot.report.terminal import readable
from bot.worker.local_runs import LocalRuns
from bot.worker.processes import sigterm_interrupts
from runners.policy.plaintext import for_terminal

_INTERRUPTED = 130


def run(
    issue: Annotated[str, typer.Option(help=ISSUE)],
    repo: Annotated[Path, typer.Option(help="A git repository on this machine.")] = Path(),
    base: Annotated[str, typer.Option(help="The commit to start from.")] = "HEAD",
    approve: Annotated[
        bool,
        typer.Option("--approve", help="Approve the scenarios where the repository demands an approval."),
    ] = False,
    number: Annotated[
        int, typer.Option(min=0, help="The issue's number, for branch and commits; 0: the next free one.")
    ] = 0,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue the newest run on issue --number, if it has one already."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Implement one issue in a repository on this machine; the result is a branch.

    It needs a model and bubblewrap, but no server and no forge. Exit status 0 when the change is proven, 1
    when it is not, 130 when it was interrupted.
    """
    settings = load_settings()
    text = read_issue(issue, settings)
    if resume and not (number or text.number):
        raise typer.BadParameter("--resume needs --number, or an issue that has a number.")
    require_sandbox(settings)
    console = Console(stderr=as_json, highlight=False)
    here = LocalRuns(settings, repo, base)
    require_models(settings)
    try:
        with sigterm_interrupts():
            wanted = number or text.number
            known = here.begun(wanted) if resume else ""
            run_id = known or here.begin(text.title, text.body, wanted)
            run_id, state = _converse(here, run_id, console, approve=approve)
    except KeyboardInterrupt:
        console.print("Cancelled; the repository is unchanged.")
        raise typer.Exit(_INTERRUPTED) from None
    raise typer.Exit(_conclude(here, run_id, state, console, as_json=as_json))


def _converse(here: LocalRuns, run_id: str, console: Console, *, approve: bool) -> tuple[str, RunState]:
    """Work until nothing more can be done without a person who is absent."""
    asks = sys.stdin.isatty()
    while True:
        state = here.work(run_id, console)
        if state.waits_for_approval:
            feature = for_terminal(here.feature(run_id))
            console.print(Syntax(feature, "gherkin", background_color="default", word_wrap=True))
            if not approve and not (asks and typer.confirm("Approve these scenarios?", err=True)):
                here.say("/agent cancel")
                return run_id, state
            here.say("/agent approve")
        elif state.status == "needs_info" and asks:
            console.print(Markdown(readable(state.reason)))
            answer = typer.prompt("Your answer (empty: stop)", default="", show_default=False, err=True)
            if not answer.strip():
                return run_id, state
            run_id = here.say(answer)
        else:
            return run_id, state


def _conclude(here: LocalRuns, run_id: str, state: RunState, console: Console, *, as_json: bool) -> int:
    """Bring the branch and say what came of it; returns the exit status."""
    pull = here.pull(state)
    branch = here.bring(pull) if pull else ""
    patch = None if pull else here.patch(run_id)
    proven = state.status == "done" and bool(state.verdict and state.verdict.green)
    if as_json:
        result = {
            "run": run_id,
            "status": state.status,
            "proven": proven,
            "reason": state.reason,
            "branch": branch,
            "commit": pull.head_sha if pull else "",
            "title": pull.title if pull else "",
            "body": pull.body if pull else "",
            "patch": str(patch or ""),
            "tokens": state.spent.tokens,
            "cost": state.spent.cost,
        }
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return 0 if proven else 1
    if pull:
        console.rule(pull.title)
        # What follows the last rule is for a forge: how to ask for changes, and the run's number.
        console.print(Markdown(readable(pull.body.rpartition("\n---\n")[0] or pull.body)))
        console.rule("Diff")
        diff = for_terminal(here.diff(pull))
        console.print(Syntax(diff, "diff", background_color="default", word_wrap=True))
        console.print(f"\nBranch: {branch}", style="bold", markup=False)
        return 0 if proven else 1
    if state.waits_for_approval:
        console.print("The scenarios wait for an approval: run it with --approve, or at a terminal.")
    elif state.reason:
        console.print(Markdown(readable(state.reason)))
    if patch:
        console.print(f"Not proven. What was written so far: {patch}", markup=False)
    elif state.status == "needs_info":
        console.print("Add the answer to the issue's text, and run it again.")
    return 1
