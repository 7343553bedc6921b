"""`scenarist lint`: the linter of scenarios, for people and for any project's features."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import AsJson
from gherkin.domain.language import Domain
from gherkin.domain.language import load as load_domain
from gherkin.errors import ScenaristError
from gherkin.feature.behave_config import CONFIG_FILES, configured_language
from gherkin.feature.steps import StepDefinition, catalogue
from gherkin.lint.findings import Finding
from gherkin.lint.linter import lint as lint_feature


class FeatureUnreadable(ScenaristError):
    """A feature file cannot be read."""

    code = "SCN-7012"
    next_step = "Give feature files, or folders with feature files in them."


def lint(
    paths: Annotated[list[Path], typer.Argument(help="Feature files, or folders with feature files.")],
    strict: Annotated[bool, typer.Option(help="Exit status 1 for warnings, too.")] = False,
    max_scenarios: Annotated[int, typer.Option(min=1, help="The most scenarios that a file may have.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Check the scenarios in feature files.

    Exit status 1 when there is an error.
    """
    found = lint_files(paths, max_scenarios)
    typer.echo(lint_text(found, as_json=as_json))
    every = [each for findings in found.values() for each in findings]
    raise typer.Exit(1 if any(strict or each.level == "error" for each in every) else 0)


def lint_files(paths: Sequence[Path], max_scenarios: int) -> dict[str, list[Finding]]:
    """Return the findings by file. Folders are searched for feature files.

    Raises `FeatureUnreadable` or `DomainInvalid`.
    """
    files = [
        each for path in paths for each in (sorted(path.rglob("*.feature")) if path.is_dir() else [path])
    ]
    if not files:
        raise FeatureUnreadable("The given paths contain no feature file.")
    found = {}
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FeatureUnreadable(f"{path} cannot be read: {error}.") from None
        found[str(path)] = lint_feature(
            text,
            definitions=_definitions(path),
            domain=_domain(path),
            max_scenarios=max_scenarios,
            language=_language(path),
        )
    return found


def _definitions(feature: Path) -> list[StepDefinition]:
    """Return the step definitions that behave would load for a feature file: those of the nearest `steps`
    folder above it.
    """
    for folder in feature.resolve().parents:
        steps = folder / "steps"
        if steps.is_dir():
            sources = {
                str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
                for path in sorted(steps.rglob("*.py"))
            }
            return catalogue(sources)
        if (folder / ".git").exists():
            break
    return []


def _language(feature: Path) -> str | None:
    """Return the language that behave is configured to read, in the nearest folder above that configures
    it.
    """
    for folder in feature.resolve().parents:
        there = [folder / name for name in CONFIG_FILES if (folder / name).is_file()]
        texts = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in there}
        found = configured_language(texts)
        if found is not None or (folder / ".git").exists():
            return found
    return None


def _domain(feature: Path) -> Domain:
    for folder in feature.resolve().parents:
        path = folder / ".scenarist" / "domain.yml"
        if path.is_file():
            return load_domain(path.read_text(encoding="utf-8"))
        if (folder / ".git").exists():
            break
    return Domain()


def lint_text(found: dict[str, list[Finding]], *, as_json: bool) -> str:
    """Return the findings as lines that editors understand (FILE:LINE: level code: message), or as JSON."""
    if as_json:
        rows = [{"file": path, **each.model_dump()} for path, findings in found.items() for each in findings]
        return json.dumps(rows, indent=2, ensure_ascii=False)
    lines = [
        f"{path}:{each.line}: {each.level} {each.code}: {each.message}"
        for path, findings in found.items()
        for each in findings
    ]
    every = [each for findings in found.values() for each in findings]
    errors = sum(each.level == "error" for each in every)
    lines.append(f"{len(found)} file(s): {errors} error(s), {len(every) - errors} warning(s)")
    return "\n".join(lines)
