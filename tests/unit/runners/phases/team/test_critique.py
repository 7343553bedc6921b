"""Which of a proven change and its revision stands."""

import pytest

from runners.contract.events import PromptSent, RunnerEvent, SpecWritten, VerdictReached
from runners.contract.team_events import CandidateBegun, Critiqued, RevisionJudged
from runners.phases.team.candidates import standing_verdict
from runners.phases.team.critique import judge, revised
from runners.verify.findings import Bite, HeldOut
from runners.verify.verdict import Problem, Verdict

_FIRST = Verdict(base_sha="0", head_sha="1", bite=Bite(tried=4, killed=3))
_SPEC = SpecWritten(path="f", sha256="0", source="issue", scenarios=(), commit="0")
_SENT: list[RunnerEvent] = [
    _SPEC,
    VerdictReached(verdict=_FIRST),
    Critiqued(head="1"),
    PromptSent(reason="critique", text=""),
]


def _revision(**changes: object) -> Verdict:
    return _FIRST.model_copy(update={"head_sha": "2", **changes})


def test_a_revision_that_is_no_worse_is_taken() -> None:
    assert judge(_FIRST, _revision()).taken == "revision"
    assert judge(_FIRST, _revision(bite=Bite(tried=4, killed=4))).taken == "revision"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"problems": (Problem(code="regression", message="It fails."),)}, "red"),
        ({"held_out": (HeldOut(scenario="S", behaviour="B", text="t", outcome="failed"),)}, "held-out"),
        ({"bite": Bite(tried=4, killed=2)}, "fewer faults"),
    ],
)
def test_a_revision_that_the_gate_finds_worse_is_not_taken(changes: dict[str, object], why: str) -> None:
    judged = judge(_FIRST, _revision(**changes))
    assert judged.taken == "first" and why in judged.reason


def test_a_revision_is_judged_once() -> None:
    assert revised(_SENT) == _FIRST
    assert revised(_SENT[:2]) is None
    assert revised([*_SENT, RevisionJudged(taken="first", reason="so")]) is None
    assert revised([*_SENT, CandidateBegun(number=2, runtime="m", reason="so")]) is None


def test_the_verdict_before_a_revision_that_was_not_taken_stands() -> None:
    after = [*_SENT, VerdictReached(verdict=_revision())]
    assert standing_verdict([*after, RevisionJudged(taken="first", reason="so")]) == _FIRST
    assert standing_verdict([*after, RevisionJudged(taken="revision", reason="so")]) == _revision()
