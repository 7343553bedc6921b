"""`scenarist spec`: from the text of an issue to its scenarios, on any repository, and no further."""

import json
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import AsJson
from bot.cli.repository.issue_text import ISSUE, read_issue
from bot.config.models import load_models
from bot.config.repository import settings_of
from bot.config.settings import Settings, load_settings
from runners.contract.budget import Spent
from runners.contract.events import RunnerEvent, SpecWritten
from runners.contract.job import FEATURE, Job
from runners.contract.workorder import WorkOrder
from runners.environment.prepare import Environments
from runners.git.local import bring, commit_of, git_dir_of
from runners.git.workspaces import Workspaces
from runners.loop.services import Services
from runners.models.roster import Roster
from runners.phases.specify import specify
from runners.sandbox.limits import CommandLimits


@dataclass(frozen=True)
class Specified:
    """A feature's text with what is said about it; without a text, `reason` says why there is none."""

    feature: str
    reason: str = ""
    questions: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def spec(
    issue: Annotated[str, typer.Argument(help=ISSUE)],
    repo: Annotated[Path, typer.Option(help="A git repository.")] = Path(),
    base: Annotated[str, typer.Option(help="The commit to start from.")] = "HEAD",
    number: Annotated[int, typer.Option(min=1, help="The issue's number, for its tag.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Print the scenarios for an issue, and write no code.

    Exit status 0 when there are scenarios, 1 when the issue says too little.
    """
    made = specify_issue(issue, repo, base, number, load_settings())
    if as_json:
        typer.echo(json.dumps(asdict(made), indent=2, ensure_ascii=False))
        raise typer.Exit(0 if made.feature else 1)
    typer.echo(made.feature or made.reason, nl=not made.feature, err=not made.feature)
    for note in (*made.questions, *made.findings):
        typer.echo(f"- {note}", err=True)
    raise typer.Exit(0 if made.feature else 1)


def specify_issue(issue: str, repo: Path, base: str, number: int, settings: Settings) -> Specified:
    """Return the scenarios for an issue; nothing in the repository is touched.

    `.scenarist.yml`, the step definitions and the domain language are read from `base`. Raises
    `IssueUnreadable`, `GitFailed`, `ConfigInvalid` and the models' errors.
    """
    read = read_issue(issue, settings)
    git_dir = git_dir_of(repo)
    commit = commit_of(git_dir, base)
    config = settings_of(git_dir, commit)
    models, keys = load_models(settings)
    order = WorkOrder(
        kind="implement",
        number=number,
        title=read.title,
        body=read.body,
        requested_by="the command line",
        requested_at=datetime.now(UTC).isoformat(),
    )
    with tempfile.TemporaryDirectory(prefix="scenarist-spec-") as tmp:
        workspaces = Workspaces(Path(tmp))
        mirror = workspaces.mirror("local", "repository")
        bring(mirror, git_dir, [commit])
        run_settings = config.model_copy(update={"approval": "none"})
        job = Job("spec", "local", "repository", order, commit, run_settings, (), Spent())
        services = Services(
            workspaces=workspaces,
            models=Roster(models, settings.runtime, keys, settings.state_dir / "profiles"),
            log=_forget,
            artifact=lambda _name: None,
            limits=CommandLimits(),
            environments=Environments(workspaces, CommandLimits(), unsafe=False),
            cancel=threading.Event(),
        )
        result = specify(job, services)
    if result.outcome != "done":
        return Specified("", result.reason)
    written = next(event for event in result.events if isinstance(event, SpecWritten))
    text = result.artifacts[FEATURE].decode()
    return Specified(text, questions=written.questions, findings=written.findings)


def _forget(events: Sequence[RunnerEvent], artifacts: object = None) -> None:
    """Drop events, because there is no run with a log."""
