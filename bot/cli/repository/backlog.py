"""`scenarist backlog`."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import AsJson, ForgeName
from bot.config.settings import load_settings
from bot.forges.forge import Repo
from bot.forges.registry.adapters import Forges
from bot.intake.backlog import BacklogInvalid, import_backlog, read_backlog
from bot.storage.store import open_store


def backlog(
    file: Annotated[Path, typer.Argument(help="Stories as YAML; see docs/backlog.md.")],
    repo: Annotated[str, typer.Option(help="OWNER/NAME.")],
    forge: ForgeName = "github",
    label: Annotated[list[str] | None, typer.Option(help="Labels of the new issues.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only print what would be created.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create an issue for each story in a file, once.

    Issues are created in the order of priority. A story that already has an issue is skipped.
    """
    if not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+", repo):
        raise typer.BadParameter(f"{repo} is no repository: write OWNER/NAME", param_hint="--repo")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BacklogInvalid(f"{file} cannot be read: {error}.") from None
    stories = read_backlog(text, file.name)
    settings = load_settings()
    adapter = Forges(settings, open_store(settings.database)).backlog(forge)
    done = []
    for story, number, new in import_backlog(
        adapter, Repo(full_name=repo), stories, label or [], dry_run=dry_run
    ):
        done.append({"id": story.id, "title": story.title, "issue": number, "new": new})
        if not as_json:
            typer.echo(
                f"{'new' if new else 'there'}  {f'#{number}' if number else '-':6} {story.id}: {story.title}"
            )
    if as_json:
        typer.echo(json.dumps(done, indent=2, ensure_ascii=False))
