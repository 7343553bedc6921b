"""Commands for models: check the configured ones, or serve one.

One file for each command."""

import typer

from bot.cli.lazy import Lazy, LazyGroup


class ModelCommands(LazyGroup):
    """The commands of `scenarist models`."""

    table = {
        "check": Lazy(
            "bot.cli.models.check:check", "Ask each configured model for one tool call and one JSON answer."
        ),
        "serve": Lazy(
            "bot.cli.models.serve:serve_model",
            "Start `vllm serve` with the flags that the model's family needs.",
            passes_on=True,
        ),
    }


models = typer.Typer(
    name="models",
    cls=ModelCommands,
    help="Check the configured models, or serve one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@models.callback()
def _models() -> None:
    """Check the configured models, or serve one."""
