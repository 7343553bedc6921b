"""One page of HTML that compares several results: it loads nothing, so it can be kept and sent."""

from collections.abc import Mapping, Sequence

import jinja2
from markupsafe import Markup

from bot.evaluation.attempts import TaskOutcome
from bot.evaluation.report import Report

_COLOURS: Mapping[TaskOutcome, str] = {
    "resolved": "green",
    "refused": "green",
    "false green": "red",
    "false red": "amber",
    "unresolved": "",
    "wrongly refused": "amber",
    "infra": "blue",
}


def comparison_page(reports: Sequence[Report], css: str) -> str:
    """Return the page of `reports`, one row each, in the style of `css`. All text in it is escaped."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("bot.evaluation", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return env.get_template("comparison.html.j2").render(
        reports=reports,
        tasks=list(dict.fromkeys(task for each in reports for task in each.tasks)),
        ks=sorted({k for each in reports for k in each.total.passes}),
        colours=_COLOURS,
        css=Markup(css),  # noqa: S704 - the product's own style sheet
    )
