"""`scenarist config`: check a `.scenarist.yml` before it is merged, or print its JSON Schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import AsJson
from bot.config.repository import FILE, ConfigInvalid, config_schema, parse_config
from gherkin.domain.language import DomainInvalid
from gherkin.domain.language import load as load_domain

_DOMAIN = ".scenarist/domain.yml"

config = typer.Typer(
    name="config", help="Check a `.scenarist.yml`, or print its schema.", no_args_is_help=True
)


@config.command()
def check(
    path: Annotated[Path, typer.Argument(help=f"A {FILE}, or the repository that holds it.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Check a `.scenarist.yml`, and the domain file of its repository.

    Exit status 0 when they can be used, 1 when one cannot.
    """
    found = problems_in(path)
    if as_json:
        typer.echo(json.dumps({"valid": not found, "problems": found}, indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(found) or "It can be used.")
    raise typer.Exit(1 if found else 0)


@config.command()
def schema() -> None:
    """Print the JSON Schema of `.scenarist.yml`."""
    typer.echo(json.dumps(config_schema(), indent=2))


def problems_in(path: Path) -> list[str]:
    """Return what is wrong with the settings at `path`, a sentence each; none if they can be used.

    Raises `ConfigInvalid` where there is no such file.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ConfigInvalid(f"There is no {file}.", "Give the file, or the folder that holds it.")
    domain = file.parent / _DOMAIN
    return [*_problem(file, parse_config), *(_problem(domain, load_domain) if domain.is_file() else [])]


def _problem(file: Path, read: Callable[[str], object]) -> list[str]:
    try:
        read(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        return [f"{file} is not text in UTF-8."]
    except (ConfigInvalid, DomainInvalid) as error:
        return [error.message]
    return []
