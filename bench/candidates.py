"""How often candidates and their selection beat one attempt, by models of known quality, and at what cost.

The verdicts and cross-tests are those of the real gate on small changes that are right, or wrong in one of
five ways; the choice is the product's own. Which changes a model makes is drawn: with probability p a right
one, else one of the wrong ones. Each number stands for the same draws, from a fixed seed.
"""

import hashlib
import itertools
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from runners.contract.team_events import CandidateEnded
from runners.git.command import TreeEntry, commit_on, store_blob
from runners.phases.team.candidates import rank
from runners.verify.claim import Claim, MutationSettings
from runners.verify.findings import Crossed
from runners.verify.gate.crossing import CandidateCommits, Crossing, changed_lines
from runners.verify.gate.gate import Gate
from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, Workbench, sandboxed_suites

_SEED, _DRAWS, _COUNT = 20, 4000, 3
_RATES = (0.2, 0.4, 0.6, 0.8)
_PROVEN = ("green", "warning")
When = Literal["one", "red", "always"]


@dataclass(frozen=True)
class Change:
    """What a model may write: the body of `double`, another `add`, and the number and result of its test."""

    body: str
    add: str = "a + b"
    tested: tuple[int, int] = (5, 10)


# Right is what doubles every number, which is what hidden tests would ask.
RIGHT = {
    "right": Change("return 2 * n"),
    "right, other": Change("return n + n", tested=(0, 0)),
}
WRONG = {
    "only the example": Change("return 8", tested=(4, 8)),
    "example and a guess": Change("return 8 if n == 4 else n * n", tested=(4, 8)),
    "wrong below zero": Change("return 2 * abs(n)", tested=(7, 14)),
    "wrong number": Change("return 3 * n", tested=(4, 12)),
    "breaks add": Change("return 2 * n", add="a - b"),
}


@dataclass(frozen=True)
class Facts:
    """What was run on each change: how it ended as a candidate, and the cross-tests of each pair."""

    ended: Mapping[str, CandidateEnded]
    crossed: Mapping[tuple[str, str], Crossed]

    def chosen(self, drawn: Sequence[str]) -> str:
        """Return the change that the product's selection takes of the candidates `drawn`, in their order."""
        numbered = list(enumerate(drawn, 1))
        ended = [self.ended[name].model_copy(update={"number": number}) for number, name in numbered]
        rivals = [each for each in ended if each.status in _PROVEN]
        crossed = [
            self.crossed[name, other].model_copy(update={"number": number, "of": of})
            for number, name in numbered
            for of, other in numbered
            if number != of and self._proven(name) and self._proven(other)
        ]
        return drawn[rank(rivals or ended, crossed)[0].number - 1]

    def made(self, drawn: Sequence[str], when: When) -> Sequence[str]:
        """Return those of `drawn` that are made: one, all, or up to the first proven one (``red``)."""
        if when == "always":
            return drawn
        if when == "one":
            return drawn[:1]
        first = next((at for at, name in enumerate(drawn) if self._proven(name)), len(drawn) - 1)
        return drawn[: first + 1]

    def told_apart(self, right: str, wrong: str) -> bool:
        """Whether what was run is worse for `wrong`: its verdict, or its failures in the other's tests."""
        if self._proven(right) != self._proven(wrong):
            return self._proven(right)
        if not self._proven(right):
            return False
        return len(self.crossed[wrong, right].failed) > len(self.crossed[right, wrong].failed)

    def _proven(self, name: str) -> bool:
        return self.ended[name].status in _PROVEN


@dataclass(frozen=True)
class Row:
    """What came of many draws: shares of right and of false green results, and attempts for a result."""

    right: float
    false_green: float
    attempts: float


def simulate(facts: Facts, rate: float, when: When, draws: int = _DRAWS) -> Row:
    """Return what models that are right with probability `rate` come to."""
    dice = random.Random(_SEED)  # noqa: S311 - a simulation
    right = false = attempts = 0
    for _ in range(draws):
        drawn = [
            dice.choice(list(RIGHT)) if dice.random() < rate else dice.choice(list(WRONG))
            for _ in range(_COUNT)
        ]
        made = facts.made(drawn, when)
        taken = facts.chosen(made)
        proven = facts.ended[taken].status in _PROVEN
        right += proven and taken in RIGHT
        false += proven and taken in WRONG
        attempts += len(made)
    return Row(right / draws, false / draws, attempts / draws)


def mistaken(facts: Facts) -> tuple[list[tuple[str, ...]], int]:
    """Return the draws in which a wrong change is taken although what was run tells it from a right one.

    The tests of other wrong changes can count against a right one. So only draws where no other wrong one was
    proven are returned, and how many others there are.
    """
    found: list[tuple[str, ...]] = []
    outvoted = 0
    for drawn in itertools.product({**RIGHT, **WRONG}, repeat=_COUNT):
        taken = facts.chosen(drawn)
        others = [name for name in drawn if name in RIGHT]
        if taken in WRONG and any(facts.told_apart(each, taken) for each in others):
            wrong = [name for name in drawn if name in WRONG and facts.ended[name].status in _PROVEN]
            if len(wrong) <= 1:
                found.append(drawn)
            else:
                outvoted += 1
    return found, outvoted


def measured(folder: Path) -> Facts:
    """Take the gate's verdict on each change, and run the cross-tests of all that are proven."""
    bench, suites = Workbench(folder), sandboxed_suites()
    base = bench.commit(BASE)
    spec = bench.commit(SPEC)
    heads = {name: _head(bench, spec, change) for name, change in {**RIGHT, **WRONG}.items()}
    ended = {}
    for name, head in heads.items():
        claim = Claim(
            base=base,
            head=head,
            feature=FEATURE,
            feature_sha256=hashlib.sha256(SPEC[FEATURE].encode()).hexdigest(),
            mutation=MutationSettings(floor=0),
        )
        verdict = Gate(bench.workspaces, bench.mirror, suites, "bench", None).verify(claim)
        ended[name] = CandidateEnded(
            number=1,
            runtimes=(),
            status=verdict.status,
            head=head,
            proof=head,
            problems=len(verdict.problems),
            noticed=verdict.bite.killed if verdict.bite else 0,
            tried=verdict.bite.tried if verdict.bite else 0,
            lines=changed_lines(bench.mirror, base, head),
        )
    crossing = Crossing(bench.workspaces, bench.mirror, suites, "bench", base=base, feature=FEATURE)
    proven = [name for name in heads if ended[name].status in _PROVEN]
    commits = {name: CandidateCommits(at, heads[name], heads[name]) for at, name in enumerate(proven, 1)}
    crossed = {(own, other): crossing.run(commits[own], commits[other]) for own in proven for other in proven}
    return Facts(ended, crossed)


def _head(bench: Workbench, spec: str, change: Change) -> str:
    number, result = change.tested
    files = {
        "calc.py": f"def add(a, b):\n    return {change.add}\n\n\ndef double(n):\n    {change.body}\n",
        "features/steps/double_steps.py": STEPS,
        "test_double.py": "from calc import double\n\n\n"
        f"def test_double():\n    assert double({number}) == {result}\n",
    }
    git_dir = bench.mirror.path
    added = [TreeEntry("100644", store_blob(git_dir, text.encode()), path) for path, text in files.items()]
    return commit_on(git_dir, spec, "x", added=added)


def run(console: Console) -> None:
    """Measure and print. Raises `AssertionError` when a wrong change is taken although it is told apart."""
    with tempfile.TemporaryDirectory() as folder:
        facts = measured(Path(folder))
    seen = Table("change", "verdict", "faults noticed", "fails tests of", title="What was run on each change")
    for name, each in facts.ended.items():
        fails = [other for (own, other), pair in facts.crossed.items() if own == name and pair.failed]
        seen.add_row(name, each.status, f"{each.noticed}/{each.tried}", ", ".join(fails) or "–")
    console.print(seen)
    title = f"{_COUNT} candidates at most, {_DRAWS:,} draws, seed {_SEED}"
    table = Table(
        "right with p", "candidates", "right", "false green", "attempts", "for one right", title=title
    )
    for rate in _RATES:
        for when in ("one", "red", "always"):
            row = simulate(facts, rate, when)
            per = f"{row.attempts / row.right:.2f}" if row.right else "–"
            shares = (f"{100 * share:.1f} %" for share in (row.right, row.false_green))
            table.add_row(f"{rate:.1f}", when, *shares, f"{row.attempts:.2f}", per)
    console.print(table)
    wrong, outvoted = mistaken(facts)
    assert not wrong, f"a wrong change was taken over a right one: {wrong[:3]}"
    console.print(
        f"{len({**RIGHT, **WRONG}) ** _COUNT} draws: none in which a wrong change is taken over a right one "
        "that what was run tells from it, where no other wrong one was proven; "
        f"{outvoted} where the tests of another wrong one decided.\n"
    )
