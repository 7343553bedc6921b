"""Commands of `scenarist eval`: try models on tasks with hidden tests, and report.

One file for each command."""

from bot.cli.lazy import Lazy, lazy_group

evaluation = lazy_group(
    "eval",
    "Try models on tasks with hidden tests, and report.",
    {
        "run": Lazy(
            "bot.cli.evaluation.run:run", "Try the tasks of a set with your models, and judge the results."
        ),
        "check": Lazy(
            "bot.cli.evaluation.check:check",
            "Check a set without a model: hidden tests fail on the base and pass with the fix.",
        ),
        "report": Lazy("bot.cli.evaluation.report:report", "Print the results of an evaluation."),
        "compare": Lazy(
            "bot.cli.evaluation.compare:compare", "Write an HTML page that compares several evaluations."
        ),
        "from-history": Lazy(
            "bot.cli.evaluation.from_history:from_history",
            "Write a set from a repository's history: changes that came with tests.",
        ),
    },
)
