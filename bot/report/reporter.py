"""Renders a run's state for people; every word of proof comes from the verdict."""

from typing import get_args

import jinja2

from bot.log.events import APPROVAL, Phase
from bot.log.state import RunState
from bot.report.escape import block, inline, prose
from gherkin.issue.kinds import Kind
from runners.policy.plaintext import one_line
from runners.verify.verdict import Counts, Outcome, Verdict

_MARKS: dict[Outcome, str] = {
    "passed": "🟢 passed",
    "failed": "🔴 failed",
    "error": "🔴 failed",
    "skipped": "⚪ skipped",
    "undefined": "⚪ undefined step",
    "missing": "⚪ missing",
}

_PROVEN: dict[Kind, str] = {
    "feature": "every scenario failed before the change and passes now",
    "bug": "every scenario failed before the change and passes now",
    "refactoring": "every scenario passed before the change and passes now",
    "chore": "nothing but documentation was changed",
}

_HEADLINES = {
    "active": "is working on this.",
    "done": "has finished.",
    "needs_info": "needs more information.",
    "gave_up": "did not get there.",
    "failed": "could not go on.",
    "paused": "is paused.",
    "cancelled": "was cancelled.",
}


class Reporter:
    """Markdown for forges. `public_url` is where the web app is reached, or empty."""

    def __init__(self, public_url: str = "") -> None:
        self._public_url = public_url.rstrip("/")
        self._env = jinja2.Environment(
            loader=jinja2.PackageLoader("bot.report", "templates"),
            autoescape=False,  # noqa: S701 - Markdown, not HTML; strangers' text goes through the filters
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
        self._env.filters.update(inline=inline, block=block, prose=prose)
        self._env.globals.update(mark=_MARKS.__getitem__, counts=_counts)

    def run_url(self, run_id: str) -> str:
        """The run's page, or nothing when there is no web app."""
        return f"{self._public_url}/runs/{run_id}" if self._public_url else ""

    def status_marker(self, run_id: str) -> str:
        return f"<!-- scenarist:status:{run_id} -->"

    def status_text(self, run_id: str, state: RunState, feature: str = "") -> str:
        """The status comment: phases, reason, scenarios, budget."""
        requested = state.requested
        if requested is None:
            raise ValueError("a run's log begins with RunRequested")
        done = state.published
        headline = _HEADLINES[state.status]
        if done is not None:
            verb = "revised" if requested.order.kind == "revise" else "opened"
            headline = f"{verb} #{done.pull}: {_proven(state)}."
        if state.waits_for_approval:
            headline = "asks you to approve its scenarios."
        ended = state.status not in ("active", "done")
        return self._env.get_template("status.md.j2").render(
            marker=self.status_marker(run_id),
            headline=headline,
            phases=_phases(state),
            reason=(f"{state.code}: " if state.code else "") + state.reason if ended else "",
            problems=state.verdict.problems if ended and state.verdict else (),
            questions=state.spec.questions if state.spec else (),
            findings=state.spec.findings if state.spec else (),
            feature=feature,
            digest=requested.order_sha256,
            requested_by=requested.order.requested_by,
            spent=spent_text(state),
            run_id=run_id,
            url=self.run_url(run_id),
        )

    def pull_text(self, run_id: str, state: RunState, feature: str = "", drift: str = "") -> tuple[str, str]:
        """(title, body) of the pull request; `drift` (Markdown) is how far its base has moved on."""
        requested, verdict = state.requested, state.verdict
        if requested is None or verdict is None:
            raise ValueError("a pull request comes after a verdict")
        order = requested.order
        title = one_line(order.title)
        body = self._env.get_template("pull.md.j2").render(
            marker=f"<!-- scenarist:pull:{run_id} -->",
            issue=order.number,
            verdict=verdict,
            spec=state.spec,
            feature=feature,
            summary=state.committed.summary if state.committed else "",
            review=state.review if state.review and state.review.head == verdict.head_sha else None,
            drift=drift,
            unsafe=not state.sandboxed,
            approved_by=state.approved_by,
            digest=requested.order_sha256,
            requested_by=order.requested_by,
            spent=spent_text(state),
            audit=state.committed.audit if state.committed else "",
            run_id=run_id,
            url=self.run_url(run_id),
        )
        return title, body

    def check_text(self, run_id: str, verdict: Verdict) -> tuple[str, str]:
        """(title, summary) of the check run."""
        proven = sum(proof.proven for proof in verdict.scenarios)
        title = f"{proven} of {len(verdict.scenarios)} scenarios proven"
        if verdict.kind in ("chore", "refactoring"):
            title = f"{verdict.kind}: {'verified' if verdict.green else 'not verified'}"
        return title, self._env.get_template("check.md.j2").render(verdict=verdict)

    def thread_text(self, run_id: str, thread: int, commit: str, answer: str) -> tuple[str, str]:
        """(marker, text) of the answer in a review thread."""
        marker = f"<!-- scenarist:thread:{run_id}:{thread} -->"
        said = prose(answer) if answer else "The branch was revised for this review."
        return marker, f"{marker}\n{said}\n\n<sub>in {commit}</sub>"


def _proven(state: RunState) -> str:
    """What was proven, as a clause."""
    scenarios = state.verdict.scenarios if state.verdict else ()
    unchanged = sum(proof.unchanged for proof in scenarios)
    if unchanged:
        proven = sum(proof.proven for proof in scenarios)
        return f"{proven} of {len(scenarios)} scenarios failed before the change; all pass now"
    return _PROVEN[state.spec.kind if state.spec else "feature"]


def spent_text(state: RunState) -> str:
    """What the run has used, in a line."""
    spent = state.spent
    models = f" with {', '.join(inline(name, 60) for name in state.models)}" if state.models else ""
    cost = f"{spent.cost:.2f} US dollars, " if spent.cost else ""
    return (
        f"{spent.turns} turns, {spent.tokens:,} tokens, {cost}{state.tool_calls} tool calls, "
        f"{spent.seconds:.0f} s{models}"
    )


def _counts(counts: Counts) -> str:
    parts = [f"{counts.passed} passed"]
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    if counts.skipped:
        parts.append(f"{counts.skipped} skipped")
    return ", ".join(parts)


def _phases(state: RunState) -> list[tuple[str, str, str]]:
    rows = []
    for name in get_args(Phase):
        if name == "conclude":
            continue
        ended = [step for step in state.finished if step.phase == name]
        rows.append((name, *_phase(state, name, ended[-1].outcome if ended else None)))
    return rows


def _phase(state: RunState, name: str, outcome: str | None) -> tuple[str, str]:
    running = state.status == "active" and state.phase == name
    if running and state.delayed is not None:
        return "⏳", f"waits {state.delayed.seconds:.0f} s: {inline(state.delayed.reason)}"
    if running and (not state.finished or state.finished[-1].phase != name):
        rounds = f"round {state.rounds + 1}" if name == "implement" and state.rounds else ""
        return "▶️", rounds or "running"
    if outcome is None:
        return ("⏳", "queued") if state.status == "active" else ("–", "")
    note = ""
    if name == "specify" and state.spec is not None:
        note = f"{len(state.spec.scenarios)} scenarios" if state.spec.path else "a chore needs none"
        note += f", approved by {inline(state.approved_by)}" if state.approved_by else ""
    if name == "verify" and state.verdict is not None:
        proven = sum(proof.proven for proof in state.verdict.scenarios)
        note = f"{proven} of {len(state.verdict.scenarios)} scenarios proven"
    marks = {"done": "✅", APPROVAL: "✅" if state.approved_by else "✋"}
    return marks.get(outcome, "❌"), note
