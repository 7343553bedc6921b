"""The phases that need forge credentials: prepare, publish, conclude. They run no repository code."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.config.repository import FILE, parse_config
from bot.forges.forge import Annotation, Check, CheckState, Forge, GitAccess, Repo
from bot.log.events import Event, Prepared, Published, RunRequested
from bot.log.state import RunState
from bot.report.escape import inline
from bot.report.reporter import Reporter
from bot.runs.driver import ClaimedRun
from gherkin.errors import ScenaristError
from runners.contract.job import BASE, FEATURE, WORK, PhaseResult, RunSettings
from runners.contract.workorder import WorkOrder
from runners.git.command import GitFailed, conflicts, git, is_ancestor, push, read_blob, remote_heads
from runners.git.workspaces import Workspaces, branch_slug, work_ref
from runners.verify.verdict import ScenarioProof, Verdict

CHECK_NAME = "scenarist"
_MAX_BRANCHES = 50


class BranchMoved(ScenaristError):
    """The branch of the run is not at the commit the run started from or made."""

    code = "SCN-1101"
    next_step = "Somebody else pushed to it: keep their work, and ask for the change again in a review."


class NoFreeBranch(ScenaristError):
    """All branch names for this issue are taken."""

    code = "SCN-1102"
    next_step = "Delete old `agent/…` branches of this issue and set the label again."


@dataclass(frozen=True)
class Trusted:
    """Handlers of the trusted phases. `forge(name)` gives the adapter with its credentials.

    `forgetful` is whether nothing of a run is kept, so that scenarios have to be part of the change. `allowed(request, run_id)` raises `AllowanceUsed` when nothing more may be begun.
    """

    forge: Callable[[str], Forge]
    workspaces: Workspaces
    reporter: Reporter
    carry_base: bool = False
    forgetful: bool = False
    allowed: Callable[[RunRequested, str], None] = lambda _request, _run: None

    def prepare(self, run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        """Fetch the repository, read its configuration from the default branch, fix base and branch."""
        requested, repo, forge = self._of(state)
        self.allowed(requested, run_id)
        default = forge.default_branch(repo)
        access = forge.git_access(repo, write=False)
        mirror = self.workspaces.mirror(requested.forge, repo.full_name)
        order = requested.order
        artifacts: dict[str, bytes] = {}
        if order.kind == "revise":
            pull = forge.pull(repo, order.pull or 0)
            if pull.state != "open":
                return PhaseResult("gave_up", f"Pull request #{pull.number} is {pull.state} by now.")
            branch, head = pull.head, None
            heads = mirror.fetch(access.url, access.header, [default, branch])
            head = heads[branch]
            base = git("merge-base", heads[default], head, git_dir=mirror.path)
            artifacts[WORK] = mirror.bundle_commit(head, work_ref(run_id), base=base)
        else:
            base = mirror.fetch(access.url, access.header, [default])[default]
            branch, head = _free_branch(forge, repo, access, order), None
        text = (read_blob(mirror.path, base, FILE) or b"").decode(errors="replace")
        settings: RunSettings = parse_config(text).run_settings()
        if requested.approval:
            settings = settings.model_copy(update={"approval": "required"})
        if self.forgetful and settings.features == "auto":
            settings = settings.model_copy(update={"features": "commit"})
        if self.carry_base:
            artifacts[BASE] = mirror.bundle_commit(base, work_ref(run_id), base=None)
        prepared = Prepared(base=base, base_branch=default, branch=branch, head=head, settings=settings)
        return PhaseResult("done", events=[prepared], artifacts=artifacts)

    def publish(self, run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        """Push the verified commit, open or update the pull request, set the check, answer the threads."""
        requested, repo, forge = self._of(state)
        prepared, verdict = state.prepared, state.verdict
        bundle = claimed.artifact(WORK)
        if prepared is None or verdict is None or bundle is None or not verdict.green:
            return PhaseResult("gave_up", "There is no verified work to publish.")
        self._push(run_id, repo, forge, state, bundle)
        target = self._target(repo, forge, prepared)
        drift = self._drift(run_id, repo, forge, prepared, target, verdict.head_sha, bundle)
        feature = (claimed.artifact(FEATURE) or b"").decode(errors="replace")
        title, body = self.reporter.pull_text(run_id, state, feature, drift)
        pull = forge.ensure_pull(
            repo,
            head=prepared.branch,
            base=target,
            title=title,
            body=body,
            draft=verdict.status == "warning",
        )
        state_of_check: CheckState = "success" if verdict.status == "green" else "neutral"
        forge.upsert_check(repo, self._check(run_id, verdict, state_of_check))
        answers = state.committed.answers if state.committed else {}
        for thread in requested.order.threads:
            marker, text = self.reporter.thread_text(
                run_id, thread.id, verdict.head_sha, answers.get(thread.id, "")
            )
            forge.reply_in_thread(repo, pull.number, thread.id, marker, text)
        published = Published(commit=verdict.head_sha, pull=pull.number, url=pull.url)
        return PhaseResult("done", events=[published])

    def conclude(self, run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        """Nothing to publish: the status comment will say why; a revised pull request gets a failed check."""
        requested, repo, forge = self._of(state)
        prepared, verdict = state.prepared, state.verdict
        if (
            requested.order.kind == "revise"
            and verdict is not None
            and prepared is not None
            and prepared.head
        ):
            forge.upsert_check(repo, self._check(run_id, verdict, "failure", head=prepared.head))
        return PhaseResult("done")

    def _of(self, state: RunState) -> tuple[RunRequested, Repo, Forge]:
        requested = state.requested
        if requested is None:
            raise ValueError("a run's log begins with RunRequested")
        repo = Repo(full_name=requested.repo, installation=requested.installation)
        return requested, repo, self.forge(requested.forge)

    def _push(self, run_id: str, repo: Repo, forge: Forge, state: RunState, bundle: bytes) -> None:
        prepared, verdict = state.prepared, state.verdict
        if prepared is None or verdict is None:
            raise ValueError("publish comes after verify")
        access = forge.git_access(repo, write=True)
        now = remote_heads(access.url, access.header, prepared.branch).get(prepared.branch)
        if now == verdict.head_sha:
            return  # pushed before, by an attempt that did not live to say so
        if now != prepared.head:
            raise BranchMoved(f"Branch {prepared.branch} is at {(now or 'nothing')[:12]}, not where it was.")
        mirror = self.workspaces.mirror(forge.kind, repo.full_name)
        push(
            mirror.path,
            bundle,
            work_ref(run_id),
            url=access.url,
            header=access.header,
            branch=prepared.branch,
            expected=prepared.head,
            commit=verdict.head_sha,
            beneath=state.spec is not None and (state.spec.shadow or not state.spec.path),
        )

    def _target(self, repo: Repo, forge: Forge, prepared: Prepared) -> str:
        """The branch to merge into: the one the run began from, or the default one where that is gone by now."""
        access = forge.git_access(repo, write=False)
        if remote_heads(access.url, access.header, prepared.base_branch):
            return prepared.base_branch
        return forge.default_branch(repo)

    def _drift(
        self,
        run_id: str,
        repo: Repo,
        forge: Forge,
        prepared: Prepared,
        target: str,
        head: str,
        bundle: bytes,
    ) -> str:
        """What reviewers should know when `target` is not where the default branch was when the run began; empty if it is."""
        access = forge.git_access(repo, write=False)
        mirror = self.workspaces.mirror(forge.kind, repo.full_name)
        tip = mirror.fetch(access.url, access.header, [target])[target]
        if not is_ancestor(mirror.path, prepared.base, tip):
            return (
                f"**`{target}` was rewritten**: `{prepared.base[:12]}`, on which this was proven, is no longer part of it, and this pull request "
                "may show commits that are not its own. Close it and set the label again for a run on what is there now."
            )
        behind = int(git("rev-list", "--count", f"{prepared.base}..{tip}", git_dir=mirror.path))
        if not behind:
            return ""
        text = (
            f"`{target}` has moved on by {behind} commit{'s' if behind > 1 else ''} since `{prepared.base[:12]}`, on which this was "
            "proven"
        )
        mirror.unbundle(bundle, work_ref(run_id))
        try:
            files = conflicts(mirror.path, tip, head)
        except GitFailed:
            return f"{text}."
        if not files:
            return f"{text}; it can be merged without conflicts."
        shown = ", ".join(inline(path) for path in files[:10])
        return f"{text}. **It conflicts with it in {shown}**: ask for a revision, or merge by hand."

    def _check(self, run_id: str, verdict: Verdict, conclusion: CheckState, head: str | None = None) -> Check:
        title, summary = self.reporter.check_text(run_id, verdict)
        return Check(
            name=CHECK_NAME,
            head_sha=head or verdict.head_sha,
            external_id=run_id,
            state=conclusion,
            title=title,
            summary=summary,
            details_url=self.reporter.run_url(run_id),
            annotations=annotations(verdict),
        )


def annotations(verdict: Verdict) -> tuple[Annotation, ...]:
    """A line-anchored note for each scenario, and one for each failing test."""
    notes = [
        Annotation(
            path=proof.path,
            line=proof.line,
            level="notice" if proof.proven or proof.unchanged else "failure",
            title=f"{_standing(proof)}: {proof.name}"[:255],
            message=f"{proof.base} on the base commit, {proof.head} on this one."
            + (f"\n{proof.head_message[-2000:]}" if proof.head_message else ""),
        )
        for proof in verdict.scenarios
    ]
    proven = {proof.path for proof in verdict.scenarios}
    notes += [
        Annotation(
            path=failure.path,
            line=failure.line or 1,
            level="failure",
            title=failure.test[:255],
            message=failure.message[-2000:] or "It failed.",
        )
        for failure in verdict.failures
        if failure.path and failure.path not in proven
    ]
    return tuple(notes)


def _standing(proof: ScenarioProof) -> str:
    if proof.unchanged:
        return "Unchanged"
    return "Proven" if proof.proven else "Not proven"


def _free_branch(forge: Forge, repo: Repo, access: GitAccess, order: WorkOrder) -> str:
    """The first of ``agent/<issue>-<slug>``, ``…-2``, ``…-3`` that is no branch and was no pull request's."""
    stem = f"agent/{order.number}-{branch_slug(order.title)}"
    names = [stem, *(f"{stem}-{attempt}" for attempt in range(2, _MAX_BRANCHES))]
    taken = remote_heads(access.url, access.header, *names)
    free = next((name for name in names if name not in taken and not forge.pulls_by_head(repo, name)), None)
    if free is None:
        raise NoFreeBranch(f"Branch {stem} and {_MAX_BRANCHES - 2} numbered ones exist already.")
    return free
