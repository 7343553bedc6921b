"""Renders a run's state for people. All statements about the proof are made from the verdict."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import jinja2

from bot.forges.forge import Capabilities
from bot.log.earlier import what_for
from bot.log.events import JOINED
from bot.log.state import RunState
from bot.report.candidates import candidate_rows
from bot.report.escape import block, code, html_text, inline, prose, sentence, single_spaced
from bot.report.form import filled_form
from bot.report.next_step import ending, how_to_answer, label_again, unfinished_next, why_ended, work_text
from bot.report.proof import (
    Detail,
    Surroundings,
    attempts_text,
    experiments_text,
    mutation_text,
    proof_rows,
    remark_place,
    untried_text,
    warnings,
)
from bot.report.record import record_comment
from bot.report.status import (
    about_text,
    baseline_text,
    headline,
    is_stopping,
    mention,
    next_text,
    plural,
    setup_text,
    steps,
)
from runners.contract.memory import MAX_LESSON
from runners.contract.workorder import ReviewDemand, WorkOrder
from runners.git.messages import habitual, shortened
from runners.verify.verdict import Problem, Verdict

_MAX_TITLE = 120
_NOT_PROVEN = "[not proven] "
_NOTHING_KNOWN = Surroundings()
# How much is shown: the first that fits.
_DETAILS = (
    Detail(rows=60, width=300, text=4000, block=6000),
    Detail(rows=30, width=200, text=2000, block=3000),
    Detail(rows=10, width=120, text=1000, block=1500),
    Detail(rows=3, width=60, text=500, block=600),
)


@dataclass(frozen=True)
class Question:
    """A comment that asks a person for something. `key` tells the questions of a run apart."""

    key: str
    marker: str
    text: str


_MAX_NOTES = 5


class Reporter:
    """Markdown for forges. `public_url` is where the web app is reached, or empty.

    `label` is what starts a run, and `comments` whether anybody hears comments: in GitHub Actions nobody
    does. `page` is the address that stands for the run's page where there is no web app.
    """

    def __init__(
        self,
        public_url: str = "",
        label: str = "agent:implement",
        *,
        comments: bool = True,
        page: str = "",
    ) -> None:
        self._public_url = public_url.rstrip("/")
        self._page = page
        self._label = label
        self._comments = comments
        self._takes = Capabilities()
        self._env = jinja2.Environment(
            loader=jinja2.PackageLoader("bot.report", "templates"),
            autoescape=False,  # noqa: S701 - Markdown, not HTML; strangers' text goes through the filters
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters.update(
            inline=inline, code=code, html_text=html_text, sentence=sentence, prose=prose, block=block
        )
        self._env.globals.update(place=remark_place)

    def on(self, forge: Capabilities) -> "Reporter":
        """Return a reporter whose texts are as large as a forge takes, and refer to pull requests as it
        does."""
        other = copy(self)
        other._takes = forge
        return other

    def run_url(self, run_id: str) -> str:
        """Return the run's page, or what stands for it; nothing when there is none."""
        return f"{self._public_url}/runs/{run_id}" if self._public_url else self._page

    def status_marker(self, run_id: str) -> str:
        return f"<!-- scenarist:status:{run_id} -->"

    def status_text(self, run_id: str, state: RunState, feature: str = "", patch: str = "") -> str:
        """Return the status comment.

        `feature` is the text of the scenarios, `patch` the diff of work that was not published.
        """
        requested = state.requested
        if requested is None:
            raise ValueError("a run's log begins with RunRequested")
        ended = ending(state, comments=self._comments, label=self._label, pull_sign=self._takes.pull_sign)
        failing = ended is not None and state.verdict is not None
        sign = self._takes.pull_sign
        return self._fitted(
            "status.md.j2",
            lambda _detail: {
                "marker": self.status_marker(run_id),
                "headline": headline(state, sign),
                "next": next_text(state),
                "steps": steps(state, sign),
                "active": state.status == "active" and not is_stopping(state),
                "paused": state.status == "paused" and not state.waits_for_approval,
                "cancelled": state.status == "cancelled" or is_stopping(state),
                "revision": state.requested is not None and state.requested.order.kind == "revise",
                "approval": state.waits_for_approval,
                "node": state.waits_at_node,
                "question": state.status == "needs_info",
                "superseded": bool(state.superseded_by),
                "ending": ended,
                "about": about_text(requested.order) if state.status != "done" else "",
                "joined": state.reason == JOINED,
                "reason": state.reason,
                "problems": _distinct(state.verdict.problems) if failing and state.verdict else [],
                "summary": state.committed.summary if ended and state.committed else "",
                "work": work_text(run_id, state, sign),
                "patch": patch if ended and not (state.left and state.left.pull) else "",
                "attempts": attempts_text(state),
                "hidden": requested.order.hidden,
                "questions": state.spec.questions if state.spec and state.published is None else (),
                "findings": _once(state.spec.findings) if state.spec else [],
                "feature": "" if state.waits_for_approval else feature,
                "comments": self._comments,
                "label": self._label,
                **self._footer(run_id, state),
            },
        )

    def question(self, run_id: str, state: RunState, feature: str = "") -> Question | None:
        """Return the comment of its own that asks for an answer or an approval; None when nothing is asked
        now.

        A change of the status comment notifies nobody, so what needs a person is a new comment that mentions
        who asked for the run.
        """
        requested = state.requested
        if requested is None or not (state.waits_for_approval or state.status == "needs_info"):
            return None
        if state.superseded_by:
            return None
        what = "approval" if state.waits_for_approval else "answer"
        key = f"{what}-{len(state.finished)}"
        marker = f"<!-- scenarist:question:{run_id}:{key} -->"
        text = self._fitted(
            "question.md.j2",
            lambda _detail: {
                "marker": marker,
                "approval": state.waits_for_approval,
                "ask": state.reason if state.waits_at_node else "",
                "who": mention(requested.order.requested_by),
                "number": requested.order.number,
                "revise": requested.order.kind == "revise",
                "reason": state.reason,
                "feature": feature,
                "again": label_again(state, self._label),
                "how": how_to_answer(state, comments=self._comments, label=self._label),
                "comments": self._comments,
                "label": self._label,
            },
        )
        return Question(key, marker, text)

    def pull_text(
        self, run_id: str, state: RunState, feature: str = "", around: Surroundings = _NOTHING_KNOWN
    ) -> tuple[str, str]:
        """Return (title, body) of the pull request.

        `around` is what the trusted side found at the moment of publishing.
        """
        requested, verdict = state.requested, state.verdict
        if requested is None or verdict is None:
            raise ValueError("a pull request comes after a verdict")
        order = requested.order
        revise = order.kind == "revise"
        title = (
            shortened(order.title, 250)
            if revise
            else habitual(order.title, verdict.kind, order.cited, around.log, _MAX_TITLE)
        )
        body = self._fitted(
            "pull.md.j2",
            lambda detail: {
                "marker": f"<!-- scenarist:pull:{run_id} -->",
                "issue": order.issue,
                "revise": revise,
                "verdict": verdict,
                "rows": proof_rows(verdict, detail.width),
                "mutation": mutation_text(state, verdict),
                "experiments": experiments_text(verdict),
                "untried": untried_text(verdict, detail),
                "held_out": verdict.held_out,
                "beside": around.steps,
                "warnings": warnings(state, verdict, around, detail, self._takes.pull_sign),
                "notes": state.baseline.notes[:_MAX_NOTES] if state.baseline is not None else (),
                "setup": setup_text(state.baseline) if state.baseline is not None else "",
                "baseline": baseline_text(state.baseline) if state.baseline is not None else "",
                "spec": state.spec,
                "feature": feature,
                "findings": _once(state.spec.findings) if state.spec else [],
                "account": _account(state),
                "demands": _demands(state),
                # A job of a CI keeps nothing for the next one.
                "record": "" if self._comments else record_comment(run_id, state),
                "form": filled_form(
                    around.template,
                    state.committed.form if state.committed else {},
                    verdict,
                    around.changed,
                    order.issue,
                    detail.text,
                ),
                "review": state.review if state.review and state.review.head == verdict.head_sha else None,
                "critique": state.critique,
                "reports": state.reports,
                "signed": state.signed,
                "pair": state.pair if state.pair and state.pair.turns else None,
                "lessons": _lessons(state),
                "remembered": state.committed is not None and state.committed.remembered,
                "candidates": candidate_rows(state),
                "chosen": state.chosen,
                "approved_by": state.approved_by or _approved_earlier(order),
                "audit": state.committed.audit if state.committed else "",
                "shortened": detail is not _DETAILS[0],
                **self._footer(run_id, state),
            },
        )
        return title, body

    def onboarding_text(self, run_id: str, state: RunState) -> tuple[str, str]:
        """Return (title, body) of the pull request that proposes a configuration."""
        survey = state.survey
        if survey is None:
            raise ValueError("it comes after the survey")
        body = self._fitted(
            "onboarding.md.j2",
            lambda detail: {
                "marker": f"<!-- scenarist:onboarding:{run_id} -->",
                "survey": survey,
                "notes": [line for line in survey.seen if line.startswith("Note: ")][:_MAX_NOTES],
                "label": self._label,
            },
        )
        return "Configure Scenarist", body

    def unfinished_text(
        self, run_id: str, state: RunState, commit: str, log: Sequence[str] = ()
    ) -> tuple[str, str]:
        """Return (title, body) of the draft pull request that holds work which was not proven.

        `commit` is that work, `log` the subjects of the newest commits below it.
        """
        requested = state.requested
        if requested is None or state.spec is None:
            raise ValueError("there is no work before a run has scenarios")
        order = requested.order
        verdict = state.verdict if state.verdict and state.verdict.head_sha == commit else None
        ended, found = why_ended(state)
        room = _MAX_TITLE - len(_NOT_PROVEN)
        title = _NOT_PROVEN + habitual(order.title, state.spec.kind, order.cited, log, room)
        body = self._fitted(
            "unfinished.md.j2",
            lambda detail: {
                "marker": f"<!-- scenarist:pull:{run_id} -->",
                "issue": order.issue,
                "ended": ended,
                "found": found,
                "commit": commit,
                "verified": verdict is not None,
                "problems": _distinct(verdict.problems) if verdict else [],
                "rows": proof_rows(verdict, detail.width) if verdict else [],
                "attempts": attempts_text(state),
                "summary": state.committed.summary if state.committed else "",
                "next": unfinished_next(state, comments=self._comments, label=self._label),
                "audit": state.committed.audit if state.committed else "",
                "shortened": detail is not _DETAILS[0],
                **self._footer(run_id, state),
            },
        )
        return title, body

    def check_text(self, run_id: str, verdict: Verdict) -> tuple[str, str]:
        """Return (title, summary) of the check run."""
        proven = sum(proof.proven for proof in verdict.scenarios)
        title = f"{proven} of {plural(len(verdict.scenarios), 'scenario')} proven"
        if verdict.kind in ("chore", "refactoring"):
            title = f"{verdict.kind}: {'verified' if verdict.green else 'not verified'}"
        return title, self._fitted(
            "check.md.j2",
            lambda detail: {
                "verdict": verdict,
                "rows": proof_rows(verdict, detail.width),
                "problems": _distinct(verdict.problems),
            },
        )

    def thread_text(
        self,
        run_id: str,
        thread: int,
        commit: str,
        answer: str,
        *,
        declined: bool = False,
        quote: str = "",
        scenarios: Sequence[str] = (),
    ) -> tuple[str, str]:
        """Return (marker, text) of the answer to a remark of a review; `quote` is the remark, where it is no
        thread.

        With `declined`, what the remark asks was not done. `scenarios` are those that it became.
        """
        marker = f"<!-- scenarist:thread:{run_id}:{thread} -->"
        said = prose(answer) if answer else "The branch was revised for this review."
        quoted = f"> {inline(quote)}\n\n" if quote else ""
        names = ", ".join(f"“{inline(name, 300)}”" for name in scenarios)
        proven = f"\n\nProven by: {names}." if names and not declined else ""
        where = "not done" if declined else f"in {commit}"
        return marker, f"{marker}\n{quoted}{said}{proven}\n\n<sub>{where}</sub>"

    def _footer(self, run_id: str, state: RunState) -> dict[str, Any]:
        requested = state.requested
        return {
            "run_id": run_id,
            "url": self.run_url(run_id),
            "digest": requested.order_sha256 if requested else "",
            "requested_by": requested.order.requested_by if requested else "",
            "spent": spent_text(state),
        }

    def _fitted(self, template: str, values: Callable[[Detail], dict[str, Any]]) -> str:
        """Return the template with as much detail as fits into a body."""
        text = ""
        for detail in _DETAILS:
            text = single_spaced(self._env.get_template(template).render(detail=detail, **values(detail)))
            if len(text) <= self._takes.max_body:
                break
        return text


def spent_text(state: RunState) -> str:
    """Return what the run has used, in a line."""
    spent = state.spent
    models = f" with {', '.join(inline(name, 60) for name in state.models[:5])}" if state.models else ""
    cost = f"{spent.cost:.2f} US dollars, " if spent.cost else ""
    return (
        f"{plural(spent.turns, 'turn')}, {spent.tokens:,} tokens, "
        f"{cost}{plural(state.tool_calls, 'tool call')}, "
        f"{spent.seconds:.0f} s{models}"
    )


def _account(state: RunState) -> list[tuple[str, str]]:
    """Return what the models say that they did, run by run: (heading, summary), the change itself first."""
    requested = state.requested
    if requested is None:
        return []
    order = requested.order
    runs = [(what_for(each), each.by, each.summary) for each in order.earlier if each.published]
    if order.kind == "implement":
        runs = []
    own = state.committed.summary if state.committed else ""
    this = "issue" if order.kind == "implement" else "repair" if order.failed_jobs else "review"
    if order.rebase:
        this = "update"
    headings = {"issue": "The change", "repair": "The repair of the CI", "update": "The update of the branch"}
    told = [
        (headings.get(what) or f"The revision that {inline(by, 100)} asked for", summary)
        for what, by, summary in (*runs, (this, order.requested_by, own))
    ]
    return [(heading, summary) for heading, summary in told if summary]


def _lessons(state: RunState) -> list[str]:
    """Return what the work adds to the repository's memory and removes from it, as lines of a diff."""
    if state.committed is None:
        return []
    removed = [f"-- {' '.join(each.split())[: 2 * MAX_LESSON]}" for each in state.committed.outdated]
    return [*removed, *(f"+{line}" for line in state.committed.learned)]


def _demands(state: RunState) -> list[ReviewDemand]:
    """Return what reviews asked for beyond the scenarios before them, oldest first, as far as scenarios
    say so.
    """
    if state.requested is None or state.spec is None:
        return []
    earlier = [each for run in state.requested.order.earlier if run.published for each in run.demands]
    found = []
    for demand in (*earlier, *state.spec.demands):
        left = tuple(name for name in demand.scenarios if name in state.spec.scenarios)
        if left:
            found.append(demand.model_copy(update={"scenarios": left}))
    return found


def _approved_earlier(order: WorkOrder) -> str:
    """Return who approved the scenarios that a revision goes on with."""
    if order.kind == "implement":
        return ""
    approved = [each.approved_by for each in order.earlier if each.published and each.approved_by]
    return approved[-1] if approved else ""


def _distinct(problems: Iterable[Problem]) -> list[str]:
    return _once(problem.message for problem in problems)


def _once(texts: Iterable[str]) -> list[str]:
    """Return each text once, in their order."""
    return list(dict.fromkeys(texts))
