"""Changes of what decides: what CI, hooks, editors and test runners read."""

from dataclasses import replace

import pytest

from runners.policy.protected import PROTECTED
from runners.sandbox.bubblewrap import Sandbox
from runners.verify.claim import Claim
from runners.verify.gate.gate import Gate
from runners.verify.suites.suites import Suites
from runners.verify.verdict import Verdict
from tests.gate.deciding import CHEATS, HONEST, Change
from tests.support.workbench import BASE, WORK, Link, Workbench, codes

CI = ".github/workflows/ci.yml"


def test_what_somebody_else_changed_before_the_work_began_is_not_its_own(bench: Workbench) -> None:
    base, start, head = (bench.commit(files) for files in (BASE, {CI: "on: push\n"}, WORK))
    claim = {"base": base, "feature": "", "feature_sha256": "", "protected": PROTECTED}
    assert bench.codes_of(Claim(head=head, **claim)) == {"protected-changed"}
    assert bench.codes_of(Claim(head=head, start=start, **claim)) == set()
    changed = bench.commit({CI: "on: [push]\n"})
    assert bench.codes_of(Claim(head=changed, start=start, **claim)) == {"protected-changed"}


def test_nothing_opens_what_is_locked(bench: Workbench) -> None:
    base, head = bench.commit({**BASE, CI: "on: push\n"}), bench.commit({**WORK, CI: "on: [push]\n"})
    claim = {"base": base, "head": head, "feature": "", "feature_sha256": "", "protected": PROTECTED}
    assert bench.codes_of(Claim(granted=(CI,), **claim)) == set()
    assert bench.codes_of(Claim(granted=(CI,), locked=(".github/**",), **claim)) == {"protected-changed"}


def test_rules_are_checked_before_any_suite_runs(bench: Workbench) -> None:
    class SuiteStarted(Exception):
        """A suite would run now."""

    def starts(*_: object) -> Sandbox:
        raise SuiteStarted

    def verdict(claim: Claim) -> Verdict:
        suites = Suites(starts, features="features")
        return Gate(bench.workspaces, bench.mirror, suites, "run").verify(claim)

    with pytest.raises(SuiteStarted):
        verdict(bench.claim(WORK))
    refused = verdict(bench.claim({**WORK, CI: "on: push\n", "data": Link("/etc")}))
    assert codes(refused) == {"protected-changed", "unsafe-link"} and refused.evidence == ()


@pytest.mark.parametrize("change", CHEATS.values(), ids=list(CHEATS))
def test_a_change_of_what_decides_is_refused(bench: Workbench, change: Change) -> None:
    claim = bench.claim(change.work(), base=change.base(), **change.more)
    assert change.code in bench.codes_of(claim)
    # The control: where everything may be changed, this is no problem.
    opened = bench.codes_of(replace(claim, granted=("**",)))
    assert change.code not in opened or change.code in ("unsafe-link", "module-shadowed")


@pytest.mark.parametrize("change", HONEST.values(), ids=list(HONEST))
def test_an_honest_change_near_it_passes(bench: Workbench, change: Change) -> None:
    assert bench.seen(change.work(), base=change.base(), **change.more) == set()
