"""`scenarist eval compare`."""

from pathlib import Path
from typing import Annotated

import typer

from bot.evaluation.attempts import EvalResults
from bot.evaluation.comparison import comparison_page
from bot.evaluation.report import report
from bot.web.pages.render import static_files


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="What `scenarist eval run --out` wrote.")
    ],
    page: Annotated[Path, typer.Option(help="The file of the page.")] = Path("evaluation.html"),
) -> None:
    """Write an HTML page that compares several evaluations."""
    stored = [EvalResults(folder) for folder in folders]
    reports = [report(each.about, each.attempts()) for each in stored]
    css = static_files()["scenarist.css"][0].decode()
    page.write_text(comparison_page(reports, css), encoding="utf-8")
    typer.echo(f"Wrote {page}.")
