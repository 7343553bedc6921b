"""Work that was not proven: which commit it is, and whether it may be pushed as a draft.

A push starts the repository's CI, with the secrets that it gives to branches of the repository. So this
side judges the change by itself, and more strictly than the verdict does: nothing that decides how tests and
checks are run goes out without proof, whoever asked for it.
"""

from bot.log.state import RunState
from bot.runs.claimed_run import ClaimedRun
from bot.runs.workflow import FAILED
from runners.contract.job import CHECKPOINT, WORK, RunSettings, claim_of
from runners.contract.workorder import KIND_TRAILER, RUN_TRAILER
from runners.git.command import commit_on, git, newest_subjects, tree_entries
from runners.git.messages import commit_subject, message
from runners.git.workspaces import SHADOW, Mirror, work_ref
from runners.verify.diff import diff_problems
from runners.verify.look import look
from runners.verify.rules.links import changes_between
from runners.verify.verdict import ProblemCode

# What the gate takes for an attempt on the judges, on reviewers or on secrets.
_PATCH_ONLY: frozenset[ProblemCode] = frozenset(
    [
        *("feature-changed", "protected-changed", "unsafe-link", "module-shadowed", "test-config-changed"),
        *("test-removed", "test-weakened", "equals-everything", "untrusted", "secret-added", "binary-added"),
        *("diff-too-large", "not-a-chore"),
    ]
)


def unfinished_commit(mirror: Mirror, run_id: str, state: RunState, claimed: ClaimedRun) -> str:
    """Return the commit of the work that was not published, as it would be pushed; empty where there is none.

    Work whose phase broke is in its last checkpoint, which becomes a commit here.
    """
    spec, prepared, requested = state.spec, state.prepared, state.requested
    before = [each for each in state.finished if each.phase != "conclude"]
    if spec is None or prepared is None or requested is None or not before:
        return ""
    broke = before[-1].phase == "implement" and before[-1].outcome == FAILED
    checkpoint = claimed.artifact(CHECKPOINT) if broke else None
    bundle = checkpoint or claimed.artifact(WORK)
    if bundle is None or not mirror.has(prepared.base):
        return ""
    tip = mirror.unbundle(bundle, work_ref(run_id))
    beside = spec.shadow or not spec.path
    if checkpoint is None and state.committed is None and tip == spec.commit:
        return ""
    if checkpoint is None:
        commit = git("rev-parse", f"{tip}^1", git_dir=mirror.path) if beside else tip
    else:
        order, git_dir = requested.order, mirror.path
        parent = git("rev-parse", f"{spec.commit}^1", git_dir=git_dir) if beside else spec.commit
        log = newest_subjects(git_dir, prepared.base)
        trailers = {
            **order.trailers,
            RUN_TRAILER: run_id,
            **({KIND_TRAILER: spec.kind} if beside else {}),
        }
        subject = commit_subject("Begin to implement", order.title, spec.kind, order.cited, log)
        removed = [entry.path for entry in tree_entries(git_dir, tip, SHADOW)]
        text = message(subject, "This work is not finished.", trailers)
        commit = commit_on(git_dir, parent, text, tree=tip, removed=removed)
    changed = {each.path for each in changes_between(mirror.path, prepared.head or prepared.base, commit)}
    return commit if changed - {spec.path} else ""


def why_not_pushed(mirror: Mirror, state: RunState, commit: str) -> str:
    """Return why unproven work may only be shown as a patch, as the end of "because …"; empty if it may be
    pushed.
    """
    requested, spec, prepared = state.requested, state.spec, state.prepared
    if requested is None or spec is None or prepared is None:
        raise ValueError("there is no work before there are scenarios")
    if requested.order.kind == "revise":
        return "unproven work is not pushed to the branch of a pull request"
    if prepared.settings.unfinished == "patch":
        return "`.scenarist.yml` sets `unfinished: patch`"
    if has_secret(mirror, state, commit):
        return "a new line holds what looks like a real key or token"
    settings: RunSettings = prepared.settings
    claim = claim_of(
        settings,
        base=prepared.base,
        head=commit,
        feature="" if spec.shadow else spec.path,
        feature_sha256=spec.sha256,
        kind=spec.kind,
    )
    problems = diff_problems(mirror.path, prepared.base, commit, settings.diff)
    if not problems:
        lines = tuple(each.command for each in settings.tests if not isinstance(each, str))
        problems = look(mirror.path, claim, settings.features_folder, lines).problems
    verdict = state.verdict.problems if state.verdict and state.verdict.head_sha == commit else ()
    refused = next((each for each in (*problems, *verdict) if each.code in _PATCH_ONLY), None)
    return f"the verification refuses this in it: {refused.message}" if refused else ""


def has_secret(mirror: Mirror, state: RunState, commit: str) -> bool:
    """Return whether a new line of the work holds what looks like a secret: then it is shown to nobody."""
    if state.prepared is None:
        return False
    found = diff_problems(mirror.path, state.prepared.base, commit, state.prepared.settings.diff)
    return any(problem.code == "secret-added" for problem in found)
