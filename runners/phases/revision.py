"""What a revision starts from: the branch's own scenarios, and the suggestions of its review."""

import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

from gherkin.feature.model import FeatureInvalid, parse, render, scenario_names
from gherkin.issue.kinds import Kind
from gherkin.issue.story import StoryInvalid
from runners.contract.events import Instructed, RunnerEvent, SpecWritten
from runners.contract.job import EXAMPLES, FEATURE, WORK, Job, PhaseResult
from runners.contract.workorder import (
    FEATURE_TRAILER,
    KIND_TRAILER,
    RUN_TRAILER,
)
from runners.git.command import (
    TreeEntry,
    commit_on,
    git,
    list_files,
    read_blob,
    store_blob,
    tree_entries,
)
from runners.git.messages import message
from runners.git.workspaces import SHADOW, Mirror, work_ref
from runners.loop.services import Services
from runners.phases import examples
from runners.phases.given.checkout import unbundled
from runners.phases.given.toolkit import wanted_paths
from runners.phases.remarks import Demanded, asks_for_behaviour, demanded
from runners.phases.threads import Suggestion, replaced, suggestions
from runners.policy.globs import is_protected
from runners.policy.outside import outside, question
from runners.policy.protected import PROTECTED


def adopt(job: Job, services: Services, mirror: Mirror) -> PhaseResult[RunnerEvent]:
    """Take over the specification of the branch that is to be revised, with the suggestions applied.

    What the review asks for beyond it becomes scenarios, too. They wait for an approval if the repository's
    rule says so.
    """
    present = unbundled(job, services, mirror, WORK)
    # What was made of scenarios that are written anew is dropped.
    head = job.before or present
    said = _trailer(mirror, job, head, KIND_TRAILER)
    kind: Kind = next((each for each in get_args(Kind) if each == said), "feature")
    path = _trailer(mirror, job, head, FEATURE_TRAILER)
    locked = [*services.operator.protected, *filter(None, [path])]
    begun, applied = _with_suggestions(job, mirror, head, locked)
    if kind == "chore":
        commit = commit_on(mirror.path, begun, "A chore has no scenarios")
        written = SpecWritten(
            path="", sha256="", source="issue", scenarios=(), commit=commit, kind=kind, applied=applied
        )
        return PhaseResult("done", events=[written], artifacts={WORK: _bundled(job, mirror, commit)})
    # Commits name no file that is not in them: scenarios beside the change are found by the run that made it.
    shadow = not path or path.startswith(f"{SHADOW}/")
    run = _trailer(mirror, job, head, RUN_TRAILER)
    commit = _with_shadow(job, services, mirror, begun, run) if shadow else begun
    path = path or next(
        (each for each in list_files(mirror.path, commit, SHADOW) if each.endswith(".feature")), ""
    )
    content = read_blob(mirror.path, commit, path) if path else None
    if content is None:
        return PhaseResult(
            "gave_up",
            "The scenarios of this pull request are not in it, and not kept here any more."
            if shadow and run
            else "The branch has no feature file written by Scenarist.",
        )
    try:
        feature = parse(content.decode(), path)
    except (FeatureInvalid, UnicodeDecodeError) as error:
        return PhaseResult("gave_up", f"The feature file on the branch cannot be read: {error}")
    source: Literal["issue", "model"] = next(
        (each.source for each in job.order.earlier if each.published), "issue"
    )
    held_out = (services.earlier(run, EXAMPLES) if run else None) or b""
    asked = Demanded(feature)
    if asks_for_behaviour(job.order) and kind in ("feature", "bug"):
        try:
            asked = demanded(job, services, mirror, feature, commit, applied)
        except (StoryInvalid, FeatureInvalid) as error:
            corrected = any(isinstance(each, Instructed) and each.corrects for each in job.events)
            reason = f"The scenarios in the review cannot be read: {error.message}"
            return PhaseResult("approval" if corrected else "needs_info", reason)
    if asked.added:
        content = render(asked.feature, _named_language(content)).encode()
        commit = _with_feature(job, mirror, commit, path, content, kind, shadow=shadow)
        names = [each.scenario.name for each in asked.added]
        held_out = examples.extended(job, services, asked.feature, held_out, names)
    written = SpecWritten(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        source=source,
        scenarios=tuple(scenario_names(asked.feature)),
        commit=commit,
        kind=kind,
        shadow=shadow,
        applied=applied,
        findings=asked.findings,
        demands=asked.demands,
        told=asked.told,
    )
    work = {WORK: _bundled(job, mirror, commit)} if commit != present else {}
    artifacts = {FEATURE: content, EXAMPLES: held_out, **work}
    outcome, reason = _rule(job, asked)
    return PhaseResult(outcome, reason, events=[written], artifacts=artifacts)


def _rule(job: Job, asked: Demanded) -> tuple[Literal["done", "approval"], str]:
    """Return whether the scenarios of a review wait for an approval, and why."""
    if not asked.added or asked.approved:
        return "done", ""
    added = asked.feature.model_copy(
        update={"scenarios": tuple(each.scenario for each in asked.added), "rules": ()}
    )
    protected = (*PROTECTED, *job.settings.protected)
    found = outside(added, protected, wanted_paths(job.settings), job.repo)
    if found:
        return "approval", question(found)
    # Whoever approved the pull request's scenarios is asked about further ones, too.
    approved = any(each.approved_by for each in job.order.earlier)
    return ("approval" if approved or job.settings.approval == "required" else "done"), ""


def _named_language(content: bytes) -> str | None:
    """Return the language that a feature file names in its first line, also English; None if it names
    none.
    """
    first = content.decode(errors="replace").lstrip("\ufeff").splitlines()[:1]
    return "en" if first and first[0].strip().startswith("# language") else None


def _with_feature(
    job: Job, mirror: Mirror, commit: str, path: str, content: bytes, kind: Kind, *, shadow: bool
) -> str:
    """Return `commit` with the feature file that the review asks for.

    If the feature is not part of the change, this replaces the commit that has it.
    """
    entry = TreeEntry("100644", store_blob(mirror.path, content), path)
    if shadow:
        parent = git("rev-parse", f"{commit}^1", git_dir=mirror.path)
        return commit_on(mirror.path, parent, "The scenarios beside the change", tree=commit, added=[entry])
    trailers = {
        **job.order.trailers,
        FEATURE_TRAILER: path,
        KIND_TRAILER: kind,
    }
    text = message("Specify what a review asks for", "", trailers)
    return commit_on(mirror.path, commit, text, added=[entry])


def _with_suggestions(
    job: Job, mirror: Mirror, head: str, locked: Sequence[str]
) -> tuple[str, tuple[int, ...]]:
    """Return (`head` with the suggestions of the review applied in one commit, their threads).

    A suggestion is left to the model if its lines have changed since, if it overlaps with another one, or if
    the run must not write the file.
    """
    globs = (*PROTECTED, *job.settings.protected, *locked)
    by_path: dict[str, list[Suggestion]] = {}
    for each in suggestions(job.order):
        if not is_protected(each.path, globs):
            by_path.setdefault(each.path, []).append(each)
    entries: list[TreeEntry] = []
    threads: list[int] = []
    for path, wanted in by_path.items():
        fresh = [each for each in wanted if _is_current(mirror, each, head)]
        present = next(iter(tree_entries(mirror.path, head, path)), None)
        text = replaced(_text(mirror, head, path), fresh) if fresh and present is not None else None
        if text is not None and present is not None and present.mode.startswith("100"):
            entries.append(
                TreeEntry(present.mode, store_blob(mirror.path, text.encode(errors="surrogateescape")), path)
            )
            threads += [each.thread for each in fresh]
    if not entries:
        return head, ()
    text = message("Apply the suggestions of a review", "", job.order.trailers)
    return commit_on(mirror.path, head, text, added=entries), tuple(sorted(threads))


def _is_current(mirror: Mirror, suggested: Suggestion, head: str) -> bool:
    """Return whether the file is as it was in the commit that the suggestion was made for."""
    if not suggested.commit or not mirror.has(suggested.commit):
        return False
    before = read_blob(mirror.path, suggested.commit, suggested.path)
    return before is not None and before == read_blob(mirror.path, head, suggested.path)


def _text(mirror: Mirror, commit: str, path: str) -> str:
    return (read_blob(mirror.path, commit, path) or b"").decode(errors="surrogateescape")


def _bundled(job: Job, mirror: Mirror, commit: str) -> bytes:
    return mirror.bundle_commit(commit, work_ref(job.run_id), base=job.base)


def _with_shadow(job: Job, services: Services, mirror: Mirror, head: str, run: str) -> str:
    """Return `head` with the scenarios and steps that its run kept beside it; `head` itself if they are
    gone.
    """
    bundle = services.earlier(run, WORK) if run else None
    if bundle is None:
        return head
    proof = mirror.unbundle(bundle, work_ref(run))
    kept = tree_entries(mirror.path, proof, SHADOW)
    return commit_on(mirror.path, head, "The scenarios beside the change", added=kept)


def _trailer(mirror: Mirror, job: Job, head: str, name: str) -> str:
    """Return the newest value of a trailer in the commits from the base to `head`."""
    pretty = f"--format=%(trailers:key={name},valueonly)"
    lines = git("log", pretty, f"{job.base}..{head}", git_dir=mirror.path).splitlines()
    return next((line.strip() for line in lines if line.strip()), "")
