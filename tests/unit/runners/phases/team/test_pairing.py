"""Who drives and who navigates, and how many candidates a mode makes."""

from pathlib import Path

from runners.contract.events import RunnerEvent
from runners.contract.job import RunSettings
from runners.contract.operator_limits import OperatorLimits
from runners.contract.team_events import PairEnded, PairTurnEnded
from runners.models.roster import Roster
from runners.models.runtimes import AgentSpec, ModelsConfig, RuntimeSpec
from runners.phases.team.candidates import wanted
from runners.phases.team.pairing import disagreed, failing, roles_of
from runners.verify.suites.run import SuiteRun


def _roster(*models: str, **agents: str) -> Roster:
    runtimes = {name: RuntimeSpec(provider="vllm", url="http://x/v1", model=name) for name in models}
    config = ModelsConfig.model_validate(
        {"runtimes": runtimes, "agents": {role: AgentSpec(runtime=name) for role, name in agents.items()}}
    )
    return Roster(config, "local", {}, Path("profiles"))


def _green(count: int) -> list[RunnerEvent]:
    return [PairTurnEnded(number=number + 1, outcome="green") for number in range(count)]


def test_the_roles_swap_after_two_green_steps_and_for_a_second_candidate() -> None:
    roster = _roster("a", "b", driver="a", navigator="b")
    drivers = [roles.driver for count in range(5) if (roles := roles_of(roster, 1, _green(count)))]
    assert drivers == ["a", "a", "b", "b", "a"]
    assert roles_of(roster, 2, []) == ("b", "a")


def test_a_pair_needs_two_models() -> None:
    assert roles_of(_roster("a", "b", driver="a", navigator="a"), 1, []) is None
    assert roles_of(_roster("a", "b", driver="a", reviewer="b"), 1, []) == ("a", "b")


def test_an_objection_is_a_disagreement_and_an_approval_is_not() -> None:
    assert disagreed([PairEnded(outcome="objected", by="b", reason="so")])
    assert disagreed([PairEnded(outcome="declined", by="a", reason="so")])
    assert not disagreed([PairEnded(outcome="approved", by="b", reason="so")])
    assert not disagreed([])


def test_a_scenario_fails_unless_all_of_its_rows_pass() -> None:
    ran = SuiteRun(
        command="behave",
        outcomes={
            "f.feature::A": "passed",
            "f.feature::B -- @1.1 x": "passed",
            "f.feature::B -- @1.2 x": "failed",
        },
    )
    assert failing(ran, ["A", "B", "C"]) == ["B", "C"]
    assert failing(ran.beside(broken="It did not end."), ["A"]) == ["A"]


def test_the_operator_bounds_the_modes() -> None:
    def count(mode: str, operator: OperatorLimits, *, disagreement: bool = False) -> tuple[int, str]:
        settings = RunSettings.model_validate({"mode": mode})
        found = wanted(settings, operator, disagreement=disagreement)
        return found.count, found.when

    assert count("council", OperatorLimits()) == (2, "always")
    assert count("council", OperatorLimits(modes=("solo",))) == (1, "red")
    assert count("pair", OperatorLimits()) == (1, "red")
    assert count("pair", OperatorLimits(), disagreement=True) == (2, "red")
    assert count("pair", OperatorLimits(candidates=1), disagreement=True) == (1, "red")
