"""The `scenarist` command: the list of its commands, and how errors become exit statuses."""

import os
import sys
from typing import Annotated

import typer

from bot import __version__
from bot.cli.lazy import Lazy, LazyGroup
from gherkin.errors import ScenaristError


class Commands(LazyGroup):
    """The commands of `scenarist`."""

    table = {
        "demo": Lazy(
            "bot.cli.operate.demo:demo",
            "Show a whole run on this machine, from label to proven pull request.",
        ),
        "run": Lazy(
            "bot.cli.repository.run:run",
            "Implement one issue in a repository on this machine; the result is a branch.",
        ),
        "init": Lazy(
            "bot.cli.repository.init:init", "Run a repository's tests, and write its `.scenarist.yml`."
        ),
        "onboard": Lazy(
            "bot.cli.repository.onboard:onboard",
            "Have the workers look at a repository and open a pull request with a `.scenarist.yml`, once.",
        ),
        "verify": Lazy("bot.cli.repository.verify:verify", "Verify a change in any repository."),
        "spec": Lazy("bot.cli.repository.spec:spec", "Print the scenarios for an issue, and write no code."),
        "lint": Lazy("bot.cli.repository.lint:lint", "Check the scenarios in feature files."),
        "config": Lazy("bot.cli.repository.config:config", "Check a `.scenarist.yml`, or print its schema."),
        "domain": Lazy("bot.cli.repository.domain:domain", "Print a first draft of `.scenarist/domain.yml`."),
        "backlog": Lazy(
            "bot.cli.repository.backlog:backlog", "Create an issue for each story in a file, once."
        ),
        "up": Lazy("bot.cli.operate.up:up", "Run everything on one machine until Ctrl-C."),
        "serve": Lazy("bot.cli.operate.serve:serve", "Run the web app: webhooks, health and run pages."),
        "worker": Lazy(
            "bot.cli.operate.worker:worker", "Run a Celery worker, or do the next phases of one run and exit."
        ),
        "dispatch": Lazy(
            "bot.cli.operate.dispatch:dispatch",
            "Launch runs as Kubernetes Jobs or GitHub Actions jobs, and record how they end.",
        ),
        "migrate": Lazy("bot.cli.operate.migrate:migrate", "Bring the database to the newest schema."),
        "doctor": Lazy("bot.cli.operate.doctor:doctor", "Check that this machine has all it needs."),
        "setup": Lazy("bot.cli.setup:setup", "Prepare projects on a forge."),
        "gc": Lazy(
            "bot.cli.operate.gc:gc", "Remove what ended runs left on this machine and in the database."
        ),
        "action": Lazy("bot.cli.operate.action:action", "Handle one event in this process, as a CI job."),
        "eval": Lazy("bot.cli.evaluation:evaluation", "Try models on tasks with hidden tests, and report."),
        "models": Lazy("bot.cli.models:models", "Check the configured models, or serve one."),
        "mcp": Lazy("bot.cli.mcp:mcp", "List and accept tools of MCP servers, or serve runs by MCP."),
        "runs": Lazy(
            "bot.cli.runs.runs:runs", "List the newest runs: state, age, cost, pull request, title."
        ),
        "log": Lazy("bot.cli.runs.log:log", "Print a run's log, or what the verifier ran."),
        "patch": Lazy(
            "bot.cli.runs.patch:patch",
            "Print the work that a run could not prove, as a patch for `git apply`.",
        ),
        "checkout": Lazy(
            "bot.cli.runs.checkout:checkout",
            "Hand a run over to you: its work as a worktree, its conversation and its scenarios.",
        ),
        "audit": Lazy(
            "bot.cli.runs.audit:audit", "Print every tool call of a run with its role, arguments and result."
        ),
        "costs": Lazy("bot.cli.runs.costs:costs", "Print what runs have used, by repository."),
        "pause": Lazy("bot.cli.runs.control:pause", "Pause a run within two seconds."),
        "resume": Lazy("bot.cli.runs.control:resume", "Resume a paused run from its last stored turn."),
        "cancel": Lazy("bot.cli.runs.control:cancel", "Cancel a run within two seconds, and tell its issue."),
        "retry": Lazy(
            "bot.cli.runs.control:retry", "Start a run again at a phase, after it ended without a result."
        ),
        "version": Lazy("bot.cli.app:version", "Print the version."),
    }


app = typer.Typer(
    cls=Commands,
    help="Label an issue, get a pull request that proves it does what the issue asked.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Label an issue, get a pull request that proves it does what the issue asked."""
    if any(name.startswith("SCENARIST_") for name in os.environ):
        from bot.config.settings import unknown_variables

        for warning in unknown_variables(os.environ):
            typer.echo(warning, err=True)


class HostRefused(ScenaristError):
    """A file or folder cannot be used, or this machine lacks something."""

    code = "SCN-7041"
    next_step = (
        "Check the path, its permissions and the free space; SCENARIST_STATE_DIR names the state folder."
    )


class DatabaseUnusable(ScenaristError):
    """The database is missing, has no schema or an old one, or refuses the connection."""

    code = "SCN-6003"
    next_step = "Check SCENARIST_DATABASE_URL and SCENARIST_STATE_DIR, then run `scenarist migrate`."


def main() -> None:
    """Run the command; print an error as one line with its code and exit with status 2.

    With SCENARIST_DEBUG set, a defect shows its stack trace.
    """
    try:
        app()
    except ScenaristError as error:
        typer.echo(str(error), err=True)
    except Exception as error:
        if os.environ.get("SCENARIST_DEBUG"):
            raise
        typer.echo(str(_unexpected(error)), err=True)
    else:
        return
    sys.exit(2)


def _unexpected(error: Exception) -> ScenaristError:
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return HostRefused(f"{where}{error.strerror or type(error).__name__}.")
    if isinstance(error, UnicodeError):
        return HostRefused("An argument or a file is not text in UTF-8.")
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # from Path.resolve
        return HostRefused(f"{error}.")
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, SQLAlchemyError):
        said = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        return DatabaseUnusable(f"The database cannot be used: {said}.")
    return ScenaristError(
        f"This is a defect in Scenarist ({type(error).__name__}). SCENARIST_DEBUG=1 shows where."
    )
