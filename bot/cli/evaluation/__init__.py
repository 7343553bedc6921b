"""Commands of `scenarist eval`: try models on tasks with hidden tests, and report.

One file for each command."""

import typer

from bot.cli.lazy import Lazy, LazyGroup


class EvalCommands(LazyGroup):
    """The commands of `scenarist eval`."""

    table = {
        "run": Lazy(
            "bot.cli.evaluation.run:run", "Try the tasks of a set with your models, and judge the results."
        ),
        "check": Lazy(
            "bot.cli.evaluation.check:check",
            "Check a set without a model: hidden tests fail on the base and pass with the fix.",
        ),
        "report": Lazy("bot.cli.evaluation.report:report", "Print what came of an evaluation."),
        "compare": Lazy(
            "bot.cli.evaluation.compare:compare", "Write a page of HTML that compares several evaluations."
        ),
        "from-history": Lazy(
            "bot.cli.evaluation.from_history:from_history",
            "Write a set from a repository's history: changes that came with tests.",
        ),
    }


evaluation = typer.Typer(
    name="eval",
    cls=EvalCommands,
    help="Try models on tasks with hidden tests, and report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@evaluation.callback()
def _evaluation() -> None:
    """Try models on tasks with hidden tests, and report."""
