"""Which candidate is being worked on, and which of several is the best."""

from runners.contract.events import RunnerEvent, SpecWritten, VerdictReached
from runners.contract.team_events import CandidateBegun, CandidateEnded
from runners.phases.team.candidates import has_proven, number_of, of_candidate, rank, reason_for, verdicts_of
from runners.verify.findings import Crossed
from runners.verify.verdict import Verdict

_SPEC = SpecWritten(path="f", sha256="0", source="issue", scenarios=(), commit="0")
_BEGUN = CandidateBegun(number=2, runtime="other", reason="so")
_VERDICT = VerdictReached(verdict=Verdict(base_sha="0", head_sha="1"))


def _ended(number: int, **more: object) -> CandidateEnded:
    return CandidateEnded.model_validate({"number": number, "runtimes": ("m",), "status": "green", **more})


def test_the_events_of_a_candidate_begin_with_it_or_with_new_scenarios() -> None:
    events: list[RunnerEvent] = [_SPEC, _VERDICT]
    assert number_of(events) == 1 and len(verdicts_of(events)) == 1
    events.append(_BEGUN)
    assert number_of(events) == 2 and list(of_candidate(events)) == []
    events += [_VERDICT, _SPEC]
    assert number_of(events) == 1 and list(of_candidate(events)) == []


def test_a_proven_candidate_counts_until_the_scenarios_change() -> None:
    assert not has_proven([_SPEC, _ended(1, status="red")])
    assert has_proven([_SPEC, _ended(1)])
    assert not has_proven([_ended(1), _SPEC])


def test_what_was_run_decides_in_order() -> None:
    def best(first: CandidateEnded, second: CandidateEnded, *crossed: Crossed) -> tuple[int, str]:
        ranked = rank([first, second], crossed)
        return ranked[0].number, reason_for(ranked, 2, crossed)

    failing = Crossed(number=1, of=2, failed=("t",))
    assert best(_ended(1, status="warning"), _ended(2, lines=900)) == (2, "its verdict is better")
    assert best(_ended(1), _ended(2, lines=900), failing) == (2, "it fails the fewest tests of the others")
    noticing = _ended(2, noticed=4, tried=4, lines=900)
    assert best(_ended(1, noticed=2, tried=4), noticing) == (2, "its tests notice more faults in its lines")
    assert best(_ended(1, lines=9), _ended(2, lines=3)) == (2, "it changes the fewest lines")
    assert best(_ended(1), _ended(2)) == (1, "it was the first of equals")


def test_of_unproven_candidates_the_one_with_the_fewest_problems_is_best() -> None:
    ranked = rank([_ended(1, status="red", problems=3), _ended(2, status="red", problems=1)], ())
    assert (ranked[0].number, reason_for(ranked, 2, ())) == (2, "it has the fewest problems")


def test_the_only_proven_one_is_taken() -> None:
    assert reason_for([_ended(3)], 3, ()) == "it is the only one of 3 that was proven"
