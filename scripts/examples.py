"""Render the texts for people from the log of the demo's run: the documents in `docs/examples/`.

The demo's run succeeds. For the other texts, a part of its log gets another ending, so that each kind of text
has an example.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import bot.demo
from bot.forges.forge import ForgeDenied
from bot.log.events import (
    APPROVAL,
    Controlled,
    Entry,
    Event,
    PhaseFinished,
    PhaseStarted,
    RunEnded,
    WorkLeft,
    event_adapter,
)
from bot.log.state import RunState, fold
from bot.report.proof import Surroundings
from bot.report.reporter import Reporter
from gherkin.feature.draft import from_draft
from gherkin.feature.model import render
from runners.contract.events import ModelReplied, SpecWritten, ToolCalled, VerdictReached
from runners.verify.findings import Findings
from runners.verify.verdict import Problem, Verdict

RECORDING = Path(bot.demo.__file__).parent / "recording.jsonl"
_RUN = "01J00000000000000000000000"
_REPORTER = Reporter("https://scenarist.example")


def examples() -> dict[str, str]:
    """Return file name -> the text, as it is sent to a forge."""
    log = [Entry.model_validate_json(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]
    feature = feature_of(log)
    working = _until(log, ToolCalled)
    verified = _until(log, VerdictReached)
    green = next(entry.event.verdict for entry in verified if isinstance(entry.event, VerdictReached))
    approval = [*_until(log, SpecWritten), *_paused(log)]
    asks = _ended(
        working, "needs_info", "Do gift cards count as goods when the limit of 50 euros is checked?"
    )
    gave_up = _ended(
        [*verified[:-1], *_as_entries(verified[:-1], [VerdictReached(verdict=_red(green))])],
        "gave_up",
        "The verification failed 3 times.",
        left=[WorkLeft(commit=green.head_sha, pull=2, url="https://forge.example/demo/bookshop/2")],
    )
    failed = _ended(
        _until(log, PhaseStarted),
        "failed",
        f"GitHub refused this App the contents of demo/bookshop. {ForgeDenied.next_step}",
        ForgeDenied.code,
    )
    states = {
        "working": fold(working),
        "approval": fold(approval),
        "answer": fold(asks),
        "gave-up": fold(gave_up),
        "failed": fold(failed),
        "opened": fold(log),
    }
    texts = {
        f"status-{name}.md": _REPORTER.status_text(_RUN, state, feature if state.spec else "")
        for name, state in states.items()
    }
    for name in ("approval", "answer"):
        question = _REPORTER.question(_RUN, states[name], feature)
        texts[f"question-{name}.md"] = question.text if question else ""
    around = Surroundings(drift="", others=[("Makefile", "")], log=())
    title, body = _REPORTER.pull_text(_RUN, fold(log), feature, around)
    summary, check = _REPORTER.check_text(_RUN, green)
    _, draft = _REPORTER.unfinished_text(_RUN, states["gave-up"], green.head_sha)
    texts |= {"pull-request.md": body, "pull-request-not-proven.md": draft, "check.md": check}
    return {"README.md": _index(title, summary), **texts}


def feature_of(log: Sequence[Entry]) -> str:
    """Return the locked feature, which the log's model wrote; the events hold only its hash."""
    drafts = [
        e.event.reply.text for e in log if isinstance(e.event, ModelReplied) and e.event.phase == "specify"
    ]
    order = fold(log).requested
    return render(from_draft(json.loads(drafts[-1]), issue=order.order.number if order else 0))


def _until(log: Sequence[Entry], kind: type) -> list[Entry]:
    """Return the log up to its first event of a kind."""
    end = next(at for at, entry in enumerate(log) if isinstance(entry.event, kind))
    return list(log[: end + 1])


def _as_entries(log: Sequence[Entry], events: Sequence[Event]) -> list[Entry]:
    """Return the events as entries that follow the log, with the time of its last entry."""
    return [Entry(seq=len(log) + at, at=log[-1].at, event=event) for at, event in enumerate(events, start=1)]


def _paused(log: Sequence[Entry]) -> list[Entry]:
    finished = PhaseFinished(phase="specify", outcome=APPROVAL)
    return _as_entries(log, [finished, Controlled(control="pause", by="")])


def _ended(
    log: Sequence[Entry], outcome: str, reason: str, code: str = "", left: Sequence[Event] = ()
) -> list[Entry]:
    """Return the log with an end of its current phase: the `outcome`, and the events of work that is `left`."""
    state: RunState = fold(log)
    phase = "verify" if state.verdict else state.phase
    finished = {"type": "PhaseFinished", "phase": phase, "outcome": outcome, "reason": reason, "code": code}
    return [
        *log,
        *_as_entries(
            log,
            [
                event_adapter.validate_python(finished),
                *left,
                RunEnded.model_validate({"status": outcome}),
            ],
        ),
    ]


def _red(verdict: Verdict) -> Verdict:
    """Return the verdict as it would be if one scenario failed."""
    first, *others = (each.model_copy(update={"findings": Findings()}) for each in verdict.scenarios)
    failed = first.model_copy(
        update={"head": "failed", "head_message": "AssertionError: delivery costs 0.00"}
    )
    problem = Problem(code="scenario-not-green", message=f"“{first.name}” does not pass with the change.")
    return verdict.model_copy(
        update={"scenarios": (failed, *others), "problems": (problem,), "bite": None, "held_out": ()}
    )


def _index(title: str, check: str) -> str:
    return f"""# What people are shown

<!-- Written by `make docs`; do not edit. -->

These are the texts of the run that `make demo` shows, as they are sent to a forge.

| text | when |
|---|---|
| [status comment](status-working.md) | the model writes the code |
| [status comment](status-approval.md), [question](question-approval.md) | the scenarios wait for an approval |
| [status comment](status-answer.md), [question](question-answer.md) | the model asks something |
| [status comment](status-gave-up.md), [draft](pull-request-not-proven.md) | the change never passed the verification |
| [status comment](status-failed.md) | a phase failed |
| [status comment](status-opened.md), [pull request](pull-request.md), [check](check.md) | the change is proven |

The pull request is called *{title}*, its check run *{check}*.

The demo's run succeeds. For the other texts, a part of its log gets another ending.

[One run on a real project](real/README.md) shows issue, scenarios, comment and pull request.
"""
