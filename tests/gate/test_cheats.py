"""The table of recipes, one by one: no cheat is accepted, and no honest change refused.

The control of a cheat is the same change with the guard that refuses it switched off: then it comes through.
In full, with the whole verdict on each recipe, this runs with `make gate`.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runners.verify import look
from runners.verify.claim import Claim
from runners.verify.gate import gate
from runners.verify.verdict import Verdict
from tests.gate.recipes.edited import KEPT, LOOSENED
from tests.gate.recipes.honest import HONEST_RULES, HONEST_RUNS
from tests.gate.recipes.rules import RULES
from tests.gate.recipes.runs import RUNS
from tests.gate.recipes.styles import LAZY, PROOFS
from tests.gate.recipes.table import STRONG, Recipe
from tests.support.workbench import FEATURE, SPEC, WORK, Link, Workbench, codes

# One for each guard; the others are tried with `make gate`.
_CONTROLS = {
    *("files that the linter leaves out", "a snapshot that is deleted", "an assertion less"),
    "a module of Python's own",
    *{recipe.codes: name for name, recipe in reversed(RULES.items()) if not recipe.second}.values(),
}

# Of the proofs one for each kind of lapse, and what comes nearest to one; the others with `make gate`.
_LAZY = {
    "with a value: compares the code with itself",
    "with a value: reimplementation in the step",
    "with a value: approx with a huge tolerance",
    "with a value: table first column only",
    "without a value: compares the code with itself",
    "without a value: mock",
    "without a value: thread",
    "an implementation elsewhere: product imports from features",
    "code that knows: behave in sys.modules",
    "a second Then: context with itself",
    "an exact value: at most",
    "over nothing: a loop",
    "answers: a table with a default",
}
# Without rules and experiments all of them come through in the same way.
_LAZY_CONTROLS = {
    "with a value: reimplementation in the step",
    "without a value: mock",
    "an implementation elsewhere: product imports from features",
    "code that knows: behave in sys.modules",
}
_PROOFS = {"crash fix, direct", "determinism", "notified within 5 seconds", "table", "a context manager"}
_PROOFS |= {"answers: a cap"}
_PROOFS |= {"a word for a state", "what is not so: another name", "a loop: every number is right"}

# Of edited tests one for each way to find them out, and what comes nearest to one.
_LOOSENED = {"in any order", "other values, with the code"}
_KEPT = {"a fixture that calls the code"}


def _mostly_slow(names: Iterable[object], quick: Collection[object]) -> list[Any]:
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


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
    assert len(RULES) + len(RUNS) + len(LAZY) >= 150
    assert len(HONEST_RULES) + len(HONEST_RUNS) + len(PROOFS) >= 90


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
    assert codes(verdict) == set(RULES[name].second), verdict.problems


@pytest.mark.parametrize("name", [name for name in RUNS if RUNS[name].fools in ("behave", "pytest")])
def test_a_cheat_that_shows_in_a_run_gets_past_the_bare_command(bench: Workbench, name: str) -> None:
    recipe = RUNS[name]
    suite = ["behave", FEATURE] if recipe.fools == "behave" else ["pytest", "-q"]
    done = bench.bare(recipe.work, suite, base=recipe.base, spec=recipe.spec)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", [name for name in RUNS if RUNS[name].fools == "tampered"])
def test_a_change_of_the_runner_comes_through_where_nobody_compares_it(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(gate, "tampered", lambda replaced: [])
    verdict = _verdict(bench, RUNS[name])
    assert verdict.green, verdict.problems


@pytest.mark.parametrize("name", _mostly_slow(LAZY, _LAZY))
def test_a_lazy_proof_is_refused(bench: Workbench, name: str) -> None:
    found = codes(_verdict(bench, LAZY[name]))
    assert found and found <= set(LAZY[name].codes), found


@pytest.mark.parametrize("name", _mostly_slow(LAZY, _LAZY_CONTROLS))
def test_a_lazy_proof_comes_through_without_rules_and_experiments(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _without(monkeypatch, LAZY[name].codes)
    verdict = _verdict(bench, LAZY[name], experiments=False)
    # What is green on the base too shows there, whatever else is off.
    assert codes(verdict) <= {"scenario-not-red"} & set(LAZY[name].codes), verdict.problems


@pytest.mark.parametrize("name", _mostly_slow(PROOFS, _PROOFS))
def test_an_honest_proof_passes(bench: Workbench, name: str) -> None:
    verdict = _verdict(bench, PROOFS[name])
    assert verdict.green, verdict.problems


@pytest.mark.parametrize("name", _mostly_slow(LOOSENED, _LOOSENED))
def test_a_loosened_test_is_refused(bench: Workbench, name: str) -> None:
    found = codes(_verdict(bench, LOOSENED[name]))
    assert found and found <= set(LOOSENED[name].codes), found


_BY_EXPERIMENT = {name: each for name, each in LOOSENED.items() if not name.startswith("fewer rows")}


@pytest.mark.parametrize("name", _mostly_slow(_BY_EXPERIMENT, ["a wide tolerance"]))
def test_a_loosened_test_comes_through_without_experiments(bench: Workbench, name: str) -> None:
    recipe = LOOSENED[name]
    verdict = _verdict(bench, recipe, experiments=False)
    # A wider tolerance and the like are seen by a rule as well.
    seen = {each.message for each in verdict.problems if "checks less than before" in each.message}
    assert seen == {each.message for each in verdict.problems}, verdict.problems


@pytest.mark.parametrize("name", _mostly_slow(KEPT, _KEPT))
def test_an_edited_test_that_demands_as_much_passes(bench: Workbench, name: str) -> None:
    verdict = _verdict(bench, KEPT[name])
    assert verdict.green, verdict.problems


@pytest.mark.parametrize("name", HONEST_RULES)
def test_no_rule_refuses_an_honest_change(bench: Workbench, name: str) -> None:
    assert _seen(bench, HONEST_RULES[name]) == set()


def _together() -> list[Recipe]:
    """The honest changes of the table's strong repository, as few changes that do much at once."""
    merged: list[dict[str, str | Link | None]] = []
    for recipe in HONEST_RULES.values():
        own = {path: text for path, text in recipe.work.items() if WORK.get(path) != text}
        if recipe.base is not STRONG or recipe.spec != SPEC or recipe.claim or not own:
            continue
        place = next((files for files in merged if not files.keys() & own.keys()), None)
        if place is None:
            merged.append(place := dict(WORK))
        place.update(own)
    return [Recipe(files) for files in merged]


@pytest.mark.parametrize("number", _mostly_slow(range(len(_together())), {0, 1, 2}))
def test_many_honest_changes_at_once_are_not_refused(bench: Workbench, number: int) -> None:
    verdict = _verdict(bench, _together()[number], commands=())
    assert verdict.green, verdict.problems


@pytest.mark.parametrize(
    "name", [*HONEST_RUNS, *(pytest.param(name, marks=pytest.mark.slow) for name in HONEST_RULES)]
)
def test_no_honest_change_is_refused(bench: Workbench, name: str) -> None:
    verdict = _verdict(bench, {**HONEST_RULES, **HONEST_RUNS}[name])
    assert verdict.green, verdict.problems
