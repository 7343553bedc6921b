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
        "report": Lazy("bot.cli.evaluation.report:report", "Print what came of an evaluation."),
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
