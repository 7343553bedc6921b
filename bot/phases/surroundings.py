"""What reviewers of a published change should know and the verdict does not say."""

from bot.forges.forge import Forge, Repo
from bot.log.events import Prepared
from bot.phases.branches import branch_names
from bot.phases.changed import unexpected_files
from bot.report.escape import code
from bot.report.proof import Surroundings
from runners.contract.workorder import WorkOrder
from runners.git.command import (
    GitFailed,
    changed_files,
    conflicts,
    git,
    is_ancestor,
    list_files,
    newest_subjects,
    read_blob,
)
from runners.git.workspaces import SHADOW, Mirror, Workspaces, work_ref
from runners.repository.house_rules import pull_template
from runners.repository.snapshot import Snapshot
from runners.verify.verdict import Verdict


def surroundings(
    run_id: str,
    repo: Repo,
    forge: Forge,
    workspaces: Workspaces,
    prepared: Prepared,
    target: str,
    verdict: Verdict,
    bundle: bytes,
    order: WorkOrder,
) -> Surroundings:
    """Return what a reviewer should know and the verdict does not say.

    Fetches the tip of `target` into the mirror and unpacks the work there. Raises the forge's errors and
    `GitFailed`.
    """
    access = forge.git_access(repo, write=False)
    mirror = workspaces.mirror(forge.kind, repo.full_name)
    tip = mirror.fetch(access.url, access.header, [target])[target]
    work = mirror.unbundle(bundle, work_ref(run_id))
    features = prepared.settings.features_folder
    return Surroundings(
        drift=_drift(mirror, prepared.base, target, tip, verdict.head_sha, order.kind),
        others=unexpected_files(mirror.path, verdict.base_sha, verdict.head_sha, features),
        log=newest_subjects(mirror.path, prepared.base),
        rivals=_rivals(forge, repo, prepared.branch, order),
        steps=_steps_beside(mirror, work) if verdict.shadow else (),
        template=pull_template(Snapshot(mirror.path, prepared.base)),
        changed=[path for _, path in changed_files(mirror.path, verdict.base_sha, verdict.head_sha)],
    )


def _drift(mirror: Mirror, base: str, target: str, tip: str, head: str, kind: str) -> str:
    """Return as Markdown how `target` changed since the run began; empty if it did not.

    `base` is the commit that `target` was at, `tip` the one that it is at now, `head` the change.
    `kind` is the kind of the work order.
    """
    branch = code(target)
    if not is_ancestor(mirror.path, base, tip):
        todo = (
            "Rebase this branch by hand, or close the pull request."
            if kind == "revise"
            else "Close it and set the label again: a new run begins from the present branch."
        )
        return (
            f"**{branch} was rewritten**: `{base[:12]}`, on which this was proven, is no longer part of it, "
            f"and this pull request may show commits that are not its own. {todo}"
        )
    behind = int(git("rev-list", "--count", f"{base}..{tip}", git_dir=mirror.path))
    if not behind:
        return ""
    commits = f"{behind} commit{'s' if behind > 1 else ''}"
    text = f"{branch} has moved on by {commits} since `{base[:12]}`, on which this was proven"
    try:
        files = conflicts(mirror.path, tip, head)
    except GitFailed:
        return f"{text}."
    if not files:
        return f"{text}; it can be merged without conflicts."
    shown = ", ".join(code(path) for path in files[:10])
    more = f" and {len(files) - 10} more" if len(files) > 10 else ""
    return f"{text}. **They conflict in {shown}{more}**: ask for a revision, or merge by hand."


def _steps_beside(mirror: Mirror, work: str) -> list[tuple[str, str]]:
    """Return (path, source) of the step definitions that lie beside a change, because its diff lacks them."""
    paths = [path for path in list_files(mirror.path, work, SHADOW) if path.endswith(".py")]
    return [
        (
            path.removeprefix(f"{SHADOW}/"),
            (read_blob(mirror.path, work, path) or b"").decode(errors="replace"),
        )
        for path in paths
    ]


def _rivals(forge: Forge, repo: Repo, branch: str, order: WorkOrder) -> list[int]:
    """Return the open pull requests that earlier runs made for the same issue; this run's is `branch`."""
    if order.kind != "implement":
        return []
    names = branch_names(order)
    earlier = names[: names.index(branch)] if branch in names else []
    pulls = [pull for name in earlier for pull in forge.pulls_by_head(repo, name)]
    return sorted({pull.number for pull in pulls if pull.state == "open"})
