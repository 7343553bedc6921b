"""The phases that need forge credentials: prepare, publish, conclude. They run no repository code."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.config.repository import settings_of
from bot.forges.ci import CHECK_NAME
from bot.forges.forge import (
    Check,
    CheckState,
    Forge,
    ForgeDenied,
    ForgeMissing,
    GitAccess,
    PullClosed,
    Repo,
)
from bot.log.events import Event, Prepared, Published, RunRequested, WorkLeft
from bot.log.state import RunState
from bot.phases.branches import free_branch
from bot.phases.carrying import carried
from bot.phases.onboarding import prepare_onboarding, propose
from bot.phases.rebase import prepare_rebase
from bot.phases.surroundings import surroundings
from bot.phases.unfinished import has_secret, unfinished_commit, why_not_pushed
from bot.report.annotations import annotations
from bot.report.reporter import Reporter
from bot.runs.claimed_run import ClaimedRun
from bot.runs.workflow import FAILED
from gherkin.errors import ScenaristError
from runners.contract.job import CONFIGURATION, FEATURE, PATCH, WORK, PhaseResult, RunSettings
from runners.contract.operator_limits import Runner
from runners.git.command import (
    PLAIN,
    PushRefused,
    git,
    newest_subjects,
    push,
    remote_heads,
)
from runners.git.outside import fetch_outside
from runners.git.workspaces import SHADOW, Mirror, Workspaces, work_ref
from runners.repository.contribution_policy import Forbidden, forbidden
from runners.repository.snapshot import Snapshot
from runners.verify.verdict import Verdict

# In characters. What is longer than a comment takes can be printed by `scenarist patch`.
_MAX_PATCH = 20_000_000


class BranchMoved(ScenaristError):
    """The branch of the run is not at the commit the run started from or made."""

    code = "SCN-1101"
    next_step = (
        "Somebody else pushed to the branch: keep their work, and ask for the change again in a review of "
        "the pull request or with a comment `/agent revise`."
    )


@dataclass(frozen=True)
class Trusted:
    """Handlers of the trusted phases. `forge(name)` gives the adapter with its credentials.

    `forgetful` says that nothing of a run is kept afterwards, so scenarios have to be part of the change.
    `labels` are those that begin a run. `allowed(request, run_id)` raises `AllowanceUsed` when nothing more
    may be begun. `runner_of` says where a run with those settings is done.
    """

    forge: Callable[[str], Forge]
    workspaces: Workspaces
    reporter: Reporter
    carry_base: bool = False
    forgetful: bool = False
    allowed: Callable[[RunRequested, str], None] = lambda _request, _run: None
    labels: tuple[str, ...] = ()
    runner_of: Callable[[RunSettings], Runner] = lambda _settings: "celery"

    def prepare(self, run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        """Fetch the repository, read its configuration from the default branch, fix base and branch.

        The configuration may also say where the next phases are done.
        """
        result = self._prepare(run_id, state)
        events = [
            event.model_copy(update={"runner": self.runner_of(event.settings)})
            if isinstance(event, Prepared)
            else event
            for event in result.events
        ]
        return replace(result, events=events)

    def _prepare(self, run_id: str, state: RunState) -> PhaseResult[Event]:
        requested, repo, forge = self._of(state)
        if requested.order.kind == "onboard":
            return prepare_onboarding(requested, run_id, forge, self.workspaces, carry_base=self.carry_base)
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
            if order.rebase:
                return prepare_rebase(
                    run_id,
                    order,
                    mirror,
                    access,
                    pull,
                    settings_of(mirror.path, heads[default]),
                    self.carry_base,
                )
            artifacts[WORK] = mirror.bundle_commit(head, work_ref(run_id), base=base)
        else:
            base = mirror.fetch(access.url, access.header, [default])[default]
            branch, head = free_branch(forge, repo, access, order), None
        fetch_outside(mirror, base, access.url, access.header)
        settings = settings_of(mirror.path, base)
        if settings.ai_policy == "obey" and (found := forbidden(Snapshot(mirror.path, base))):
            return PhaseResult("gave_up", _not_wanted(found))
        if order.kind == "implement" and settings.labels.pick_up == "remove":
            for label in set(self.labels) & set(order.labels):
                forge.drop_label(repo, order.number, label, on="issue")
        if requested.approval:
            settings = settings.model_copy(update={"approval": "required"})
        if self.forgetful and settings.features == "auto":
            settings = settings.model_copy(update={"features": "commit"})
        if self.carry_base:
            artifacts |= carried(mirror, run_id, base)
        prepared = Prepared(base=base, base_branch=default, branch=branch, head=head, settings=settings)
        return PhaseResult("done", events=[prepared], artifacts=artifacts)

    def publish(self, run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        """Push the verified commit, open or update the pull request, set the check, answer the threads."""
        requested, repo, forge = self._of(state)
        prepared, verdict = state.prepared, state.verdict
        bundle = claimed.artifact(WORK)
        if prepared is None or verdict is None or bundle is None or not verdict.green:
            return PhaseResult("gave_up", "There is no verified work to publish.")
        beneath = state.spec is not None and (state.spec.shadow or not state.spec.path)
        self._push(run_id, repo, forge, state, bundle, verdict.head_sha, beneath=beneath)
        target = self._target(repo, forge, prepared)
        around = surroundings(
            run_id, repo, forge, self.workspaces, prepared, target, verdict, bundle, requested.order
        )
        feature = (claimed.artifact(FEATURE) or b"").decode(errors="replace")
        title, body = self.reporter.on(forge.capabilities).pull_text(run_id, state, feature, around)
        pull = forge.ensure_pull(
            repo,
            head=prepared.branch,
            base=target,
            title=title,
            body=body,
            draft=state.opens_draft,
        )
        if state.left is not None and pull.draft and not state.opens_draft:
            forge.set_ready(repo, pull.number)
        state_of_check: CheckState = "success" if verdict.status == "green" else "neutral"
        forge.upsert_check(repo, self._check(run_id, forge, verdict, state_of_check))
        self._answer_review(run_id, state, verdict.head_sha, repo, forge)
        published = Published(commit=verdict.head_sha, pull=pull.number, url=pull.url)
        return PhaseResult("done", events=[published])

    def propose(self, run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        """Open the pull request with the configuration that a new repository's survey came to."""
        _requested, _repo, forge = self._of(state)
        text = claimed.artifact(CONFIGURATION)
        return propose(run_id, state, text, forge, self.workspaces, self.reporter)

    def conclude(self, run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        """Leave the unfinished work as a draft pull request or a patch.

        A revised pull request gets a failed check.
        """
        requested, repo, forge = self._of(state)
        prepared, verdict = state.prepared, state.verdict
        if (
            requested.order.kind == "revise"
            and verdict is not None
            and prepared is not None
            and prepared.head
        ):
            forge.upsert_check(repo, self._check(run_id, forge, verdict, "failure", head=prepared.head))
        mirror = self.workspaces.mirror(requested.forge, repo.full_name)
        commit = unfinished_commit(mirror, run_id, state, claimed)
        if prepared is None or not commit or has_secret(mirror, state, commit):
            return PhaseResult("done")
        left = self._left(run_id, state, mirror, commit)
        since = prepared.head or prepared.base
        shown = ("diff", *PLAIN, "--no-color", since, commit, "--", f":(exclude){SHADOW}")
        patch = git(*shown, git_dir=mirror.path)[:_MAX_PATCH]
        return PhaseResult("done", events=[left], artifacts={PATCH: patch.encode()})

    def _answer_review(self, run_id: str, state: RunState, commit: str, repo: Repo, forge: Forge) -> None:
        """Answer each thread of a review and its own text; threads that are done are resolved."""
        requested = state.requested
        order, pull = (requested.order, requested.order.pull) if requested else (None, None)
        if order is None or pull is None:
            return
        answers = state.committed.answers if state.committed else {}
        declined = state.committed.declined if state.committed else ()
        became = {each.thread: each.scenarios for each in state.spec.demands} if state.spec else {}
        for thread in order.threads:
            answer = answers.get(thread.id, "")
            marker, text = self.reporter.thread_text(
                run_id,
                thread.id,
                commit,
                answer,
                declined=thread.id in declined,
                scenarios=became.get(thread.id, ()),
            )
            forge.reply_in_thread(repo, pull, thread.id, marker, text)
            if answer and thread.id not in declined:
                forge.resolve_thread(repo, pull, thread.id)
        if order.review_body.strip():
            marker, text = self.reporter.thread_text(
                run_id,
                0,
                commit,
                answers.get(0, ""),
                declined=0 in declined,
                quote=order.review_body,
                scenarios=became.get(0, ()),
            )
            forge.upsert_comment(repo, pull, marker, text, None, on="pull")

    def _left(self, run_id: str, state: RunState, mirror: Mirror, commit: str) -> WorkLeft:
        """Leave the unproven work `commit` as a draft pull request, where that may be done."""
        _, repo, forge = self._of(state)
        ended = next((each.outcome for each in reversed(state.finished) if each.phase != "conclude"), "")
        prepared = state.prepared
        if prepared is None or ended not in ("gave_up", FAILED):
            return WorkLeft(commit=commit, reason="the run was stopped, or waits for an answer")
        if state.verdict is not None and state.verdict.green and state.verdict.head_sha == commit:
            return WorkLeft(commit=commit, reason="it is proven, and could not be published")
        reason = why_not_pushed(mirror, state, commit)
        if reason:
            return WorkLeft(commit=commit, reason=reason)
        try:
            bundle = mirror.bundle_commit(commit, work_ref(run_id), base=prepared.base)
            commit = self._push(run_id, repo, forge, state, bundle, commit)
            log = newest_subjects(mirror.path, prepared.base)
            title, body = self.reporter.on(forge.capabilities).unfinished_text(run_id, state, commit, log)
            pull = forge.ensure_pull(
                repo,
                head=prepared.branch,
                base=self._target(repo, forge, prepared),
                title=title,
                body=body,
                draft=True,
            )
        except (ForgeDenied, ForgeMissing, PullClosed, PushRefused, BranchMoved) as error:
            return WorkLeft(commit=commit, reason=f"it could not be pushed: {error.message}")
        if state.verdict is not None and state.verdict.head_sha == commit:
            forge.upsert_check(repo, self._check(run_id, forge, state.verdict, "failure"))
        return WorkLeft(commit=commit, pull=pull.number, url=pull.url)

    def _of(self, state: RunState) -> tuple[RunRequested, Repo, Forge]:
        requested = state.requested
        if requested is None:
            raise ValueError("a run's log begins with RunRequested")
        repo = Repo(full_name=requested.repo, installation=requested.installation)
        return requested, repo, self.forge(requested.forge)

    def _push(
        self,
        run_id: str,
        repo: Repo,
        forge: Forge,
        state: RunState,
        bundle: bytes,
        commit: str,
        *,
        beneath: bool = False,
    ) -> str:
        """Push `commit`, which `bundle` carries (`beneath` another one), to the run's branch.

        Returns the commit that the branch is at: one with the same files where an attempt that did not live
        to say so has pushed it before. Raises `BranchMoved` where somebody else pushed.
        """
        prepared = state.prepared
        if prepared is None:
            raise ValueError("nothing is pushed before a run is prepared")
        access = forge.git_access(repo, write=True)
        now = remote_heads(access.url, access.header, prepared.branch).get(prepared.branch)
        if now == commit:
            return commit
        mirror = self.workspaces.mirror(forge.kind, repo.full_name)
        expected = state.left.commit if state.left is not None and state.left.pull else prepared.head
        if now != expected:
            if (
                now is not None
                and prepared.head is None
                and _is_our_work(mirror, access, prepared, now, commit)
            ):
                return now
            raise BranchMoved(f"Branch {prepared.branch} is at {(now or 'nothing')[:12]}, not where it was.")
        push(
            mirror.path,
            bundle,
            work_ref(run_id),
            url=access.url,
            header=access.header,
            branch=prepared.branch,
            expected=expected,
            commit=commit,
            beneath=beneath,
        )
        return commit

    def _target(self, repo: Repo, forge: Forge, prepared: Prepared) -> str:
        """Return the branch to merge into: the one the run began from, or the default one where that is
        gone by now.
        """
        access = forge.git_access(repo, write=False)
        if remote_heads(access.url, access.header, prepared.base_branch):
            return prepared.base_branch
        return forge.default_branch(repo)

    def _check(
        self, run_id: str, forge: Forge, verdict: Verdict, conclusion: CheckState, head: str | None = None
    ) -> Check:
        title, summary = self.reporter.on(forge.capabilities).check_text(run_id, verdict)
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


def _is_our_work(mirror: Mirror, access: GitAccess, prepared: Prepared, now: str, commit: str) -> bool:
    """Return whether the branch, which is at `now`, holds the same files as `commit` on the same parent."""
    mirror.fetch(access.url, access.header, [prepared.branch])
    tree, other = (
        git("rev-parse", f"{each}^{{tree}}", f"{each}^1", git_dir=mirror.path) for each in (now, commit)
    )
    return tree == other


def _not_wanted(found: Forbidden) -> str:
    return (
        "Nothing was begun, because this repository takes no changes made by unsupervised tools. "
        f"`{found.path}` line {found.line} says: “{found.sentence}” If you may decide otherwise, write "
        "`ai_policy: ignore` into `.scenarist.yml` on the default branch."
    )
