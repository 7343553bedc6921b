"""Where the time of a run went."""

from bot.log.events import Entry, Event, PhaseFinished, PhaseStarted
from bot.report.page.times import times
from runners.contract.events import BaselineReached, BaseSuite, VerdictReached
from runners.verify.verdict import Counts, Evidence, Verdict


def at(second: int, event: Event) -> Entry:
    return Entry(seq=second + 1, at=f"2026-01-01T10:00:{second:02}+00:00", event=event)


def test_phases_that_others_wait_for_and_the_longest_commands_are_marked() -> None:
    known = Evidence(commit="b" * 40, command="pytest", exit_code=0, seconds=20, log_sha256="", known=True)
    run = Evidence(
        commit="a" * 40, command="behave", exit_code=1, seconds=3, log_sha256="", purpose="all scenarios"
    )
    suite = BaseSuite(name="pytest", counts=Counts(passed=1), seconds=1.0)
    reached = BaselineReached(base="b" * 40, environment_s=2.5, suites=(suite,))
    said = times(
        [
            at(0, PhaseStarted(phase="specify", worker="w")),
            at(1, PhaseStarted(phase="baseline", worker="w")),
            at(5, reached),
            at(5, PhaseFinished(phase="baseline", outcome="done")),
            at(9, PhaseFinished(phase="specify", outcome="done")),
            at(9, PhaseStarted(phase="verify", worker="w")),
            at(
                19,
                VerdictReached(verdict=Verdict(base_sha="b" * 40, head_sha="a" * 40, evidence=(run, known))),
            ),
            at(20, PhaseFinished(phase="verify", outcome="done")),
        ]
    )
    assert said[:4] == [
        "* 10:00:00      9.0 s  specify   |##################",
        "  10:00:01      4.0 s  baseline  |  --------",
        "* 10:00:09     11.0 s  verify    |                  ######################",
        "               20.0 s  critical path: specify > verify",
    ]
    # The baseline was not waited for, and a known result took no time.
    assert said[4] == "           model 0.0 s, tools and tests 3.0 s, the rest 17.0 s (85%)"
    assert said[6:9] == [
        "Baseline",
        "       2.5 s  the environment",
        "       1.0 s  pytest  (all tests on the old code)",
    ]
    assert said[10:] == [
        "Verdict 1: green, 2 commands",
        "     known s  bbbbbbbb pytest",
        "       3.0 s  aaaaaaaa behave  (all scenarios)",
    ]


def test_a_baseline_that_ends_last_is_what_the_run_waited_for() -> None:
    said = times(
        [
            at(0, PhaseStarted(phase="specify", worker="w")),
            at(0, PhaseStarted(phase="baseline", worker="w")),
            at(8, PhaseFinished(phase="baseline", outcome="done")),
            at(8, PhaseFinished(phase="specify", outcome="done", waited_s=4)),
        ]
    )
    assert said == [
        "  10:00:00      4.0 s  specify   |--------------------",
        "* 10:00:00      8.0 s  baseline  |########################################",
        "                8.0 s  critical path: baseline",
        "           model 0.0 s, tools and tests 0.0 s, the rest 8.0 s (100%)",
    ]
