"""Make one HTML page that compares several results: it loads nothing, so it can be kept and sent."""

from collections import Counter
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
    """Return the page of `reports`, one column each, in the style of `css`. All text in it is escaped."""
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
        measures=_measures(reports),
        several_sets=len({each.about.set_name for each in reports}) > 1,
        counted=lambda outcomes: Counter(outcomes).most_common(),
        colours=_COLOURS,
        css=Markup(css),  # noqa: S704 - the product's own style sheet
    )


def _measures(reports: Sequence[Report]) -> list[tuple[str, list[str]]]:
    """Return the rows of the table of results: the name of a measure, and its value in each report."""
    totals = [each.total for each in reports]
    rows: list[tuple[str, list[str]]] = [
        ("Attempts", [str(each.attempts) for each in totals]),
        ("Resolved", [f"{each.resolved} of {each.possible}" for each in totals]),
        ("Green", [str(each.green) for each in totals]),
        ("False green", [str(each.false_green) for each in totals]),
        ("False red", [str(each.false_red) for each in totals]),
        ("Refused", [f"{each.refused} of {each.impossible}" for each in totals]),
        ("Infrastructure failed", [str(each.infra) for each in totals]),
    ]
    for k in sorted({k for each in totals for k in each.passes}):
        rows.append((f"pass^{k}", [f"{each.passes[k]:.0%}" if k in each.passes else "–" for each in totals]))
    return [
        *rows,
        ("Tokens", [f"{each.tokens:,}" for each in totals]),
        ("US dollars", [f"{each.cost:.2f}" for each in totals]),
        ("Seconds", [f"{each.wall_s:,.0f}" for each in totals]),
        ("Turns", [f"{each.turns:,.0f}" for each in totals]),
    ]
