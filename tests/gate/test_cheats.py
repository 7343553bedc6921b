"""The table of recipes, one by one: no cheat is accepted, and no honest change refused.

The control of a cheat is the same change with the guard that refuses it switched off: then it comes through.
In full, with the whole verdict on each recipe, this runs with `make gate`.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from runners.verify import look
from runners.verify.claim import Claim
from runners.verify.gate import gate
from runners.verify.verdict import Verdict
from tests.gate.recipes import CHEATS, HONEST, HONEST_RULES, HONEST_RUNS, RULES, RUNS, Recipe
from tests.support.workbench import Workbench, codes

# One for each guard; the others are tried with `make gate`.
_CONTROLS = {
    *("files that the linter leaves out", "a snapshot that is deleted", "an assertion less"),
    "a module of Python's own",
    *{recipe.codes: name for name, recipe in reversed(RULES.items()) if not recipe.second}.values(),
}


def _seen(bench: Workbench, recipe: Recipe) -> set[str]:
    return bench.seen(recipe.work, base=recipe.base, spec=recipe.spec, **recipe.claim)


def _verdict(bench: Workbench, recipe: Recipe, **more: object) -> Verdict:
    return bench.verdict(recipe.work, base=recipe.base, spec=recipe.spec, **{**recipe.claim, **more})


def _without(monkeypatch: pytest.MonkeyPatch, off: Sequence[str]) -> None:
    """Switch the rules off that give one of these problems."""
    whole = look.look

    def lax(git_dir: Path, claim: Claim, features: str, test_commands: Sequence[str] = ()) -> look.Look:
        seen = whole(git_dir, claim, features, test_commands)
        seen.problems = [each for each in seen.problems if each.code not in off]
        return seen

    monkeypatch.setattr(gate, "look", lax)


def test_the_table_is_long_enough() -> None:
    assert len(CHEATS) >= 80 and len(HONEST) >= 40


@pytest.mark.parametrize("name", RULES)
def test_a_cheat_that_shows_without_a_run_is_refused_by_its_guard_alone(bench: Workbench, name: str) -> None:
    assert _seen(bench, RULES[name]) == set(RULES[name].codes)


@pytest.mark.parametrize("name", RUNS)
def test_a_cheat_that_shows_in_a_run_is_refused(bench: Workbench, name: str) -> None:
    verdict = _verdict(bench, RUNS[name])
    assert not verdict.green
    assert codes(verdict) & set(RUNS[name].codes), verdict.problems


@pytest.mark.parametrize(
    "name", [name if name in _CONTROLS else pytest.param(name, marks=pytest.mark.slow) for name in RULES]
)
def test_a_cheat_comes_through_without_its_guard(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _without(monkeypatch, RULES[name].codes)
    verdict = _verdict(bench, RULES[name], experiments=False)
    # Some are found a second time: their tests are missing when the suites are compared.
    second = set() if name in _CONTROLS else set(RULES[name].second)
    assert codes(verdict) <= second, verdict.problems


@pytest.mark.parametrize("name", HONEST_RULES)
def test_no_rule_refuses_an_honest_change(bench: Workbench, name: str) -> None:
    assert _seen(bench, HONEST_RULES[name]) == set()


@pytest.mark.parametrize(
    "name", [*HONEST_RUNS, *(pytest.param(name, marks=pytest.mark.slow) for name in HONEST_RULES)]
)
def test_no_honest_change_is_refused(bench: Workbench, name: str) -> None:
    verdict = _verdict(bench, HONEST[name])
    assert verdict.green, verdict.problems
