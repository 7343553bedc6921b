"""`scenarist domain`: a first draft of a repository's domain language, from its code and, if wanted, from the
model."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import AsJson
from bot.config.models import load_models
from bot.config.settings import Settings, load_settings
from gherkin.domain.drawing import draw
from gherkin.domain.language import Domain, dump
from gherkin.errors import ScenaristError
from runners.loop.single_requests.glossary import complete
from runners.models.roster import Roster

_SHOWN = ("README.md", "README.rst", "*.feature", "*.py")
_LEFT_OUT = {"node_modules", "venv", "build", "dist"}
# The head of a file says what it is about; of the model's prompt each gets as much.
_HEAD_CHARS = 2000


class LanguageUnusable(ScenaristError):
    """The model's answer cannot be made part of a domain language."""

    code = "SCN-7016"
    next_step = "Run the command again, with another model, or without `--model`."


def domain(
    repo: Annotated[Path, typer.Option(help="The repository.", exists=True, file_okay=False)] = Path(),
    model: Annotated[bool, typer.Option(help="Have the model complete it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a first draft of `.scenarist/domain.yml`.

    It is made from the repository's Python code, features and steps.
    """
    drawn = draft(repo, load_settings() if model else None)
    typer.echo(drawn.model_dump_json(indent=2) + "\n" if as_json else dump(drawn), nl=False)


def draft(repo: Path, settings: Settings | None) -> Domain:
    """Return the draft from the files in `repo`; with `settings` completed by the analyst's model.

    Raises `LanguageUnusable` and the models' errors.
    """
    files = {
        path.relative_to(repo).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for pattern in _SHOWN
        for path in sorted(repo.rglob(pattern))
        if path.is_file() and not _is_left_out(path.relative_to(repo))
    }
    drawn = draw(files)
    if settings is None:
        return drawn
    models, keys = load_models(settings)
    roster = Roster(models, settings.runtime, keys, settings.state_dir / "profiles")
    heads = {path: text[:_HEAD_CHARS] for path, text in files.items()}
    try:
        return complete(drawn, heads, roster.engine("analyst"))
    except ValueError as error:
        raise LanguageUnusable(f"The model's answer cannot be used: {error}.") from None


def _is_left_out(path: Path) -> bool:
    return any(part.startswith(".") or part in _LEFT_OUT for part in path.parts)
