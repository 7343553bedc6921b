"""Commands for models: check the configured ones, or serve one.

One file for each command."""

from bot.cli.lazy import Lazy, lazy_group

models = lazy_group(
    "models",
    "Check the configured models, or serve one.",
    {
        "check": Lazy(
            "bot.cli.models.check:check", "Ask each configured model for one tool call and one JSON answer."
        ),
        "serve": Lazy(
            "bot.cli.models.serve:serve_model",
            "Start `vllm serve` with the flags that the model's family needs.",
            passes_on=True,
        ),
    },
)
