"""`scenarist init`: make a repository's environment, run its tests, and write a `.scenarist.yml` that says
what was found."""

import json
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from bot.behaviours.onboarding import onboarding
from bot.cli.options import AsJson
from bot.cli.process import require_sandbox
from bot.config.models import load_models
from bot.config.repository import FILE, config_schema, parse_config, settings_of
from bot.config.settings import Settings, load_settings
from gherkin.errors import ScenaristError
from runners.contract.budget import Spent
from runners.contract.job import Job
from runners.environment.prepare import Environments
from runners.git.local import bring, commit_of, git_dir_of
from runners.git.workspaces import Workspaces
from runners.loop.services import Services
from runners.models.roster import Roster
from runners.phases.baseline import told
from runners.phases.given.readying import Found, made_ready
from runners.phases.onboarding.survey import configuration, seen, with_setup
from runners.policy.redact import redactor

_FORGE, _REPO = "local", "repository"

SCHEMA_FILE = ".scenarist/schema.json"
_EDITORS = f"# yaml-language-server: $schema={SCHEMA_FILE}"


class AlreadyConfigured(ScenaristError):
    """The repository already has a configuration, which is not overwritten."""

    code = "SCN-7017"
    next_step = "Use `--force` to replace it, or `--print` to see what would be written."


# Any of these settings names a model.
_MODELS = frozenset(("models_file", "model_url", "model_name", "anthropic_api_key", "runtime", "recording"))


def init(
    repo: Annotated[Path, typer.Option(help="A git repository.", exists=True, file_okay=False)] = Path(),
    commit: Annotated[str, typer.Option(help="The commit to look at.")] = "HEAD",
    force: Annotated[bool, typer.Option(help="Replace an existing configuration.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print the file, and write nothing.")] = False,
    model: Annotated[
        bool | None,
        typer.Option(
            "--model/--no-model",
            help="Ask a model for set-up commands if the repository's files are not enough to run its tests.",
            show_default="if one is configured",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a repository's tests, and write its `.scenarist.yml`.

    The file's JSON Schema is written beside it, so that editors complete and check its keys.
    Exit status 0 when the tests can be run.
    """
    settings = load_settings()
    require_sandbox(settings)
    target = repo / FILE
    if target.exists() and not (force or show):
        raise AlreadyConfigured(f"{target} is there already.")
    asks = bool(settings.model_fields_set & _MODELS) if model is None else model
    typer.echo("Making the environment and running the tests …", err=True)
    git_dir = git_dir_of(repo)
    with tempfile.TemporaryDirectory(prefix="scenarist-init-") as tmp:
        job, services = _phase(settings, git_dir, commit_of(git_dir, commit), Path(tmp))
        found = made_ready(job, services, may_ask=asks)
    suites = [told(name, run) for name, run in found.runs.items()]
    lines = seen(found, suites)
    if not found.readiness.ready:
        _tell_why_unasked(found, asks=asks, configured=bool(job.settings.setup))
    found.demand()
    made = configuration(with_setup(job.settings, found.setup), found.environment, lines)
    text = f"{_EDITORS}\n{made}"
    parse_config(text)
    for line in lines:
        typer.echo(line, err=True)
    if not show:
        schema = repo / SCHEMA_FILE
        schema.parent.mkdir(exist_ok=True)
        schema.write_text(json.dumps(config_schema(), indent=2) + "\n")
        target.write_text(text)
        typer.echo(f"{target} and {schema} are written. Commit them to the default branch.", err=True)
    if as_json:
        result = {"file": "" if show else str(target), "text": text, "seen": lines}
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
    elif show:
        typer.echo(text, nl=False)


def _phase(settings: Settings, git_dir: Path, base: str, folder: Path) -> tuple[Job, Services]:
    """Return what a phase of a run is given, for the commit `base`; everything is below `folder`.

    Nothing in the repository is touched. Raises `ConfigInvalid`, `ModelsInvalid` and `GitFailed`.
    """
    workspaces = Workspaces(folder)
    bring(workspaces.mirror(_FORGE, _REPO), git_dir, [base])
    limits = settings.command_limits
    models, keys = load_models(settings)
    services = Services(
        workspaces=workspaces,
        models=Roster(models, settings.runtime, keys, folder / "profiles"),
        log=lambda events, artifacts=None: None,
        artifact=lambda _name: None,
        limits=limits,
        environments=Environments(
            workspaces,
            limits,
            unsafe=settings.unsafe_no_sandbox,
            registries=settings.registry_hosts,
            variables=settings.passed_variables,
        ),
        cancel=threading.Event(),
        redactor=redactor([*settings.secrets, *filter(None, keys.values())]),
        unsafe_no_sandbox=settings.unsafe_no_sandbox,
    )
    request, _ = onboarding(_FORGE, _REPO, 0, "init")
    job = Job("init", _FORGE, _REPO, request.order, base, settings_of(git_dir, base), (), Spent())
    return job, services


def _tell_why_unasked(found: Found, *, asks: bool, configured: bool) -> None:
    """Say how a model answered that did not help, or why none was asked."""
    said = found.asked
    if configured:
        said = "No model was asked: the repository's own `setup:` is used as it is."
    elif not asks:
        said = (
            "No model was asked for set-up commands, because none is configured. Set SCENARIST_MODELS_FILE "
            "or SCENARIST_MODEL_URL."
        )
    typer.echo(said, err=True)
