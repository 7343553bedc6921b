"""`scenarist eval report`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.cli.evaluation.options import ResultsFolder
from bot.cli.options import AsJson
from bot.evaluation.attempts import EvalResults
from bot.evaluation.export import as_text, predictions, swebench_report
from bot.evaluation.report import Report
from bot.evaluation.report import report as report_on
from runners.policy.plaintext import for_terminal, one_line

_SHOWN = 200


def report(
    folder: ResultsFolder,
    as_json: AsJson = False,
    export: Annotated[
        Path | None,
        typer.Option(help="A folder for preds.json and report.json of each seed, in SWE-bench's format."),
    ] = None,
) -> None:
    """Print the results of an evaluation."""
    stored = EvalResults(folder)
    attempts = stored.attempts()
    found = report_on(stored.about, attempts)
    if export is not None:
        export.mkdir(parents=True, exist_ok=True)
        for seed in sorted({each.seed for each in attempts}):
            part = "" if seed == 1 else f"-{seed}"
            written = {
                f"preds{part}.json": predictions(stored.about, attempts, seed),
                f"report{part}.json": swebench_report(stored.about, attempts, seed),
            }
            for name, data in written.items():
                (export / name).write_text(as_text(data), encoding="utf-8")
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    print_report(found, Console(highlight=False))


def print_report(found: Report, console: Console) -> None:
    """Print a report as tables."""
    about = found.about
    console.print(f"\n{about.set_name} with {about.models}, {about.mode}", style="bold", markup=False)
    rows = (found.total, *found.by_kind, *(found.by_mode if len(found.by_mode) > 1 else ()))
    ends = Table("", "resolved", "green", "false green", "false red", "refused", "infra", box=None)
    spent = Table("", "attempts", "tokens", "US dollars", "seconds", "turns", box=None)
    for row in rows:
        green, lost = str(row.false_green), str(row.false_red)
        ends.add_row(
            *(row.name, f"{row.resolved} of {row.possible}", str(row.green), green, lost),
            *(f"{row.refused} of {row.impossible}", str(row.infra)),
        )
        spent.add_row(
            *(row.name, str(row.attempts), f"{row.tokens:,}", f"{row.cost:.2f}"),
            *(f"{row.wall_s:.0f}", f"{row.turns:.0f}"),
        )
    console.print(ends)
    console.print(spent)
    if found.total.passes:
        passes = "  ".join(f"pass^{k} {100 * value:.0f} %" for k, value in found.total.passes.items())
        console.print(f"{passes} (all attempts at a task are right)", markup=False)
    scores = found.total.experiments
    named = [
        f"{name.replace('_', '-')} {tally}"
        for name in type(scores).model_fields
        if (tally := getattr(scores, name)).tried
    ]
    if named:
        console.print(f"Experiments of the gate: {' · '.join(named)}", markup=False)
    if found.by_role:
        roles = Table("role", "model", "turns", "tokens", "US dollars", box=None)
        for use in found.by_role:
            roles.add_row(use.role, use.model, str(use.turns), f"{use.tokens:,}", f"{use.cost:.2f}")
        console.print(roles)
    for task, outcomes in found.tasks.items():
        console.print(f"{task}: {', '.join(outcomes)}", markup=False)
    for place, why in found.infra.items():
        shown = one_line(for_terminal(why))[:_SHOWN]
        console.print(f"Infrastructure failed at {place}: {shown}", markup=False)
