"""`scenarist verify`: the gate alone, on any repository, for anybody's CI."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.process import require_sandbox
from bot.config.repository import settings_of
from bot.config.settings import load_settings
from bot.report.reporter import Reporter
from gherkin.errors import ScenaristError
from gherkin.feature.model import FeatureInvalid, parse
from runners.contract.job import claim_of
from runners.environment.prepare import Environments
from runners.git.command import GitFailed, read_blob
from runners.git.local import HistoryMissing, bring, commit_of, git_dir_of
from runners.git.workspaces import Workspaces
from runners.policy.plaintext import for_terminal
from runners.sandbox.limits import CommandLimits
from runners.verify.experiments.held_out import read_examples
from runners.verify.gate.feedback import feedback
from runners.verify.gate.gate import Gate
from runners.verify.suites.suites import Suites
from runners.verify.verdict import Verdict


class VerifyRefused(ScenaristError):
    """The repository, a commit or the feature cannot be found."""

    code = "SCN-7008"
    next_step = "Give a git repository, two commits of it, and the path of a feature file in the second one."


def verify(
    base: Annotated[str, typer.Option(help="The commit before the change.")],
    feature: Annotated[str, typer.Option(help="Path of the feature file, in the head commit.")],
    head: Annotated[str, typer.Option(help="The commit with the change.")] = "HEAD",
    repo: Annotated[Path, typer.Option(help="A git repository.")] = Path(),
    examples: Annotated[
        Path | None,
        typer.Option(help="A feature file of further examples: the same steps with other values."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole verdict.")] = False,
) -> None:
    """Verify a change in any repository.

    Exit status 0 when the change is proven, 1 when it is not.
    """
    settings = load_settings()
    require_sandbox(settings)
    limits = settings.command_limits
    unsafe = settings.unsafe_no_sandbox
    verdict = verify_repository(
        repo, base, head, feature, limits=limits, unsafe=unsafe, examples=_text_of(examples)
    )
    typer.echo(verdict_text(verdict, as_json=as_json))
    raise typer.Exit(0 if verdict.green else 1)


def _text_of(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8") if path is not None else ""
    except (OSError, UnicodeDecodeError) as error:
        raise VerifyRefused(f"The examples cannot be read: {error}.") from None


def verify_repository(
    repo: Path,
    base: str,
    head: str,
    feature: str,
    *,
    limits: CommandLimits,
    unsafe: bool,
    examples: str = "",
) -> Verdict:
    """Take the verdict on `head` against `base`; nothing in the repository is touched.

    The feature is taken as approved as it stands in `head`; `.scenarist.yml` is read from `base`. `examples`
    is a feature file of held-out examples. Raises `VerifyRefused`, `ConfigInvalid` or `EnvironmentBroken`.
    """
    git_dir = git_dir_of(repo)
    try:
        commits = [commit_of(git_dir, name) for name in (base, head)]
    except HistoryMissing:
        raise
    except GitFailed as error:
        raise VerifyRefused(error.message) from None
    content = read_blob(git_dir, commits[1], feature)
    if content is None:
        raise VerifyRefused(f"{feature} is not a file in {head}.")
    settings = settings_of(git_dir, commits[0])
    with tempfile.TemporaryDirectory(prefix="scenarist-verify-") as tmp:
        workspaces = Workspaces(Path(tmp))
        mirror = workspaces.mirror("local", "repository")
        bring(mirror, git_dir, commits)
        environment = Environments(workspaces, limits, unsafe=unsafe).prepare(
            mirror, commits[0], settings.setup, env=settings.env, services=settings.services
        )
        suites = Suites(
            lambda root, ro, rw: environment.sandbox(root, ro, rw, limits=limits, unsafe=unsafe),
            features=settings.features_folder,
            tests=settings.tests,
            behave=settings.behave,
        )
        claim = claim_of(
            settings,
            base=commits[0],
            head=commits[1],
            feature=feature,
            feature_sha256=hashlib.sha256(content).hexdigest(),
            examples=examples,
        )
        if examples:
            _check(examples, content, feature)
        return Gate(workspaces, mirror, suites, "verify").verify(claim)


def _check(examples: str, content: bytes, feature: str) -> None:
    """Refuse examples that belong to no scenario of the feature. Raises `VerifyRefused`."""
    try:
        _, problems = read_examples(examples, parse(content.decode(errors="replace"), feature))
    except FeatureInvalid as error:
        raise VerifyRefused(error.message) from None
    if problems:
        raise VerifyRefused(" ".join(problems))


def verdict_text(verdict: Verdict, *, as_json: bool) -> str:
    """Return the verdict for people, or as one JSON object.

    Nothing in it moves a terminal or commands a job's runner.
    """
    if as_json:
        text = json.dumps({"green": verdict.green, **verdict.model_dump(mode="json")}, indent=2)
        return text.replace("##[", "##\\u005b")
    title, summary = Reporter().check_text("", verdict)
    return for_terminal(f"{title}\n\n{summary}" + ("" if verdict.green else f"\n{feedback(verdict)}\n"))
