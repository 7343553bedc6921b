"""`scenarist models check`: what each configured model really does."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from bot.cli.options import AsJson
from bot.config.models import load_models
from bot.config.settings import Settings, load_settings
from gherkin.errors import ScenaristError
from runners.models.probe import PROBE, Profile, probe
from runners.models.roster import Roster

_NO_CALL = f"no call of `{PROBE}` came"


@dataclass(frozen=True)
class RuntimeCheck:
    """The result of asking one runtime; `problem` is empty if the runtime can be used."""

    runtime: str
    provider: str
    model: str
    roles: tuple[str, ...]
    profile: Profile | None
    context_length: int
    problem: str


def check(as_json: AsJson = False) -> None:
    """Ask each configured model for one tool call and one JSON answer.

    Exit status 1 if one cannot be used.
    """
    checked = check_models(load_settings())
    if as_json:
        rows = [
            {**vars(each), "profile": each.profile.model_dump() if each.profile else None} for each in checked
        ]
        typer.echo(json.dumps(rows, indent=2))
    else:
        typer.echo(table(checked))
    raise typer.Exit(1 if any(each.problem for each in checked) else 0)


def check_models(settings: Settings) -> list[RuntimeCheck]:
    """Ask each runtime that a role uses, and those the file names besides.

    Raises `ModelsInvalid` or `RuntimeIncomplete`.
    """
    config, keys = load_models(settings)
    roster = Roster(config, settings.runtime, keys, settings.state_dir / "profiles")
    roles: dict[str, list[str]] = {name: [] for name in config.runtimes}
    for role in ("analyst", "driver"):
        for level, name in enumerate(roster.levels(role)):
            roles[name].append(role if level == 0 else f"{role} {level + 1}")
    checked = []
    for name, spec in config.runtimes.items():
        profile, model, context, problem = None, spec.model, spec.context_length, ""
        try:
            engine = roster.of(name)
            model, context = engine.model.name, engine.context_length
            if spec.provider != "replay":
                profile = probe(engine.native, name, context)
                # An answer by a schema is not needed: the form of an answer stands in the prompt.
                problem = "" if profile.called else _NO_CALL
        except ScenaristError as error:
            problem = f"{error.code}: {error.message}"
        checked.append(
            RuntimeCheck(name, spec.provider, model, tuple(roles[name]), profile, context, problem)
        )
    return checked


def table(checked: Sequence[RuntimeCheck]) -> str:
    """Return the results as aligned text, with one line on each that cannot be worked with."""
    head = ("runtime", "model", "roles", "context", "tools", "parallel", "schema", "thinking", "seconds")
    rows = [head, *(_row(each) for each in checked)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines += [f"{each.runtime}: {each.problem}" for each in checked if each.problem]
    lines += [
        f"{each.runtime}: {each.profile.found}" for each in checked if each.profile and not each.problem
    ]
    return "\n".join(lines)


def _row(checked: RuntimeCheck) -> tuple[str, ...]:
    found = checked.profile
    return (
        checked.runtime,
        checked.model or "?",
        ", ".join(checked.roles) or "none",
        f"{checked.context_length:,}" if checked.context_length else "?",
        (found.tools if found.called else "none") if found else "-",
        _yes(found.parallel) if found else "-",
        _yes(found.schema_output) if found else "-",
        ("leaks" if found.leaks else "apart") if found else "-",
        f"{found.seconds:.1f}" if found else "-",
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
