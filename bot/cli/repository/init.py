"""`scenarist init`: make a repository's environment, run its tests, and write a `.scenarist.yml` that says
what was found."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.process import require_sandbox
from bot.config.repository import FILE, parse_config, settings_of
from bot.config.settings import load_settings
from gherkin.errors import ScenaristError
from runners.contract.job import RunSettings
from runners.environment.finding.sources import Sources
from runners.environment.made import Environment
from runners.environment.prepare import Environments
from runners.environment.readiness import judge
from runners.git.local import bring, commit_of, git_dir_of
from runners.git.workspaces import Workspaces
from runners.phases.baseline import told
from runners.phases.onboarding.survey import configuration, seen
from runners.sandbox.limits import CommandLimits
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites


class AlreadyConfigured(ScenaristError):
    """The repository has a configuration, which is not overwritten."""

    code = "SCN-7017"
    next_step = "Use `--force` to replace it, or `--print` to see what would be written."


@dataclass(frozen=True)
class Found:
    """What was seen of a repository: its settings, its environment, and the runs of its suites by name."""

    settings: RunSettings
    environment: Environment
    runs: dict[str, SuiteRun] = field(default_factory=dict)


def init(
    repo: Annotated[Path, typer.Option(help="A git repository.", exists=True, file_okay=False)] = Path(),
    commit: Annotated[str, typer.Option(help="The commit to look at.")] = "HEAD",
    force: Annotated[bool, typer.Option(help="Replace a configuration that is there.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print the file, and write nothing.")] = False,
) -> None:
    """Try a repository's tests, and write its `.scenarist.yml`.

    Exit status 0 when the tests can be run.
    """
    settings = load_settings()
    require_sandbox(settings)
    target = repo / FILE
    if target.exists() and not (force or show):
        raise AlreadyConfigured(f"{target} is there already.")
    limits = CommandLimits(wall_s=settings.command_seconds, memory_mb=settings.command_memory_mb)
    typer.echo("Making the environment and running the tests …", err=True)
    found = look(
        repo,
        commit,
        limits,
        unsafe=settings.unsafe_no_sandbox,
        registries=settings.registry_hosts,
        variables=settings.passed_variables,
    )
    suites = [told(name, run) for name, run in found.runs.items()]
    lines = seen(found.environment, suites)
    text = configuration(found.settings, found.environment, lines)
    parse_config(text)
    for line in lines:
        typer.echo(line, err=True)
    if show:
        typer.echo(text, nl=False)
        return
    target.write_text(text)
    typer.echo(f"{target} is written. Commit it to the default branch.", err=True)


def look(
    repo: Path,
    commit: str,
    limits: CommandLimits,
    *,
    unsafe: bool,
    registries: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Found:
    """Make the environment of a commit and run its suites; nothing in the repository is touched.

    Raises `NotReady` and `EnvironmentBroken` with what is missing, `NoFittingPython`, `ConfigInvalid` and
    `GitFailed`.
    """
    git_dir = git_dir_of(repo)
    base = commit_of(git_dir, commit)
    settings = settings_of(git_dir, base)
    with tempfile.TemporaryDirectory(prefix="scenarist-init-") as tmp:
        workspaces = Workspaces(Path(tmp))
        mirror = workspaces.mirror("local", "repository")
        bring(mirror, git_dir, [base])
        made = Environments(workspaces, limits, unsafe=unsafe, registries=registries, variables=variables)
        environment = made.prepare(mirror, base, settings.setup, env=settings.env, services=settings.services)
        suites = Suites(
            lambda root, ro, rw: environment.sandbox(root, ro, rw, limits=limits, unsafe=unsafe),
            features=settings.features_folder,
            tests=settings.tests,
            behave=settings.behave,
        )
        with workspaces.worktree(mirror, base, "init", "base") as tree:
            runs = {name: run(tree.root) for name, run in suites.all()}
        judge(runs, Sources.of_commit(mirror.path, base), environment.notes).demand()
    return Found(settings, environment, runs)
