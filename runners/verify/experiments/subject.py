"""One scenario that is tried, and what the trials show about it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gherkin.feature.model import Step
from runners.verify.experiments.flip import Flip, flips, negated, tolerant
from runners.verify.experiments.scenarios import Single
from runners.verify.findings import Findings, Tally
from runners.verify.suites.run import Tried
from runners.verify.verdict import ScenarioProof

# Steps that compare one outcome of the code with another one: for them no value is wrong by itself.
_SAMENESS = re.compile(
    r"\b(?:same|again|both|twice|identical|equals?|equal|each other|unchanged|round.?trips?|idempotent\w*|"
    r"empty|zero|gleich\w*|dassel\w*|derselbe|wieder|leer\w*|mismo|misma|même|vide|vac[ií]o)\b",
    re.IGNORECASE,
)


@dataclass
class Subject:
    """One scenario that is tried.

    `number` is that of its proof, `proofs` are the numbers of all that it stands for. `related`: it is red on
    the base; `loads`: its steps could be loaded there. The rest is what has come of the trials so far:
    `noticed` by the place of a flip, `broken` by the name of what was broken.
    """

    number: int
    single: Single
    proofs: list[int]
    related: bool
    loads: bool
    flips: list[Flip]
    control: bool = False
    noticed: dict[int, bool] = field(default_factory=dict)
    broken: dict[str, bool] = field(default_factory=dict)
    untried: list[str] = field(default_factory=list)
    blind: Flip | None = None
    empty: int | None = None
    unrelated: bool = False
    held: bool = False
    # Whether a Then step noticed that the code came out otherwise, and whether it did and none noticed.
    looks: bool = False
    careless: bool = False

    def findings(self) -> Findings:
        return Findings(
            flips=Tally(good=sum(self.noticed.values()), tried=len(self.noticed)),
            sabotage=Tally(good=sum(self.broken.values()), tried=len(self.broken)),
            untried=tuple(self.untried),
        )

    def outcome_steps(self) -> list[int]:
        """The numbers of its Then steps."""
        return [number for number, step in enumerate(self.single.scenario.steps) if step.kind == "then"]

    def vague_steps(self) -> list[int]:
        """The numbers of its Then steps of which no value could be changed, but those that say what is not
        so."""
        valued = {self.flips[place].step for place in self.noticed if not self.flips[place].inverted}
        steps = self.single.scenario.steps
        return [each for each in self.outcome_steps() if each not in valued and not negated(steps[each])]

    def judge_flips(self) -> None:
        """Decide which Then step, if any, does not look at what it expects."""
        noticed = any(self.noticed.values())
        for number in sorted({flip.step for flip in self.flips}):
            places = [place for place, flip in enumerate(self.flips) if flip.step == number]
            self._judge_step(number, places, noticed=noticed)

    def _judge_step(self, number: int, places: Sequence[int], *, noticed: bool) -> None:
        step = self.single.scenario.steps[number]
        real = [place for place in places if not self.flips[place].inverted and place in self.noticed]
        # Inverting says something only where no value could be changed.
        if real:
            for place in places:
                if self.flips[place].inverted:
                    self.noticed.pop(place, None)
        tried = [place for place in places if place in self.noticed]
        said = f"“{step.text[:80]}”"
        if not tried:
            self.untried.append(f"{said} has no value that could be changed.")
            return
        # What an earlier step names too may say what the step looks at; the other values are expectations.
        expected = [place for place in real if not self.flips[place].reference]
        decisive = expected if expected and not tolerant(step) else tried
        if any(self.noticed[place] for place in decisive):
            return
        if negated(step) or not real:
            for place in tried:
                del self.noticed[place]
            self.untried.append(f"{said} holds for other values too, so changing them shows nothing.")
        elif not noticed or not all(self.flips[place].reference for place in tried):
            self.blind = self.blind or self.flips[decisive[0]]

    def note_wrong(self, tried: Mapping[str, Tried], groups: Sequence[str]) -> None:
        """Whether the scenario stays green although the code gives something else back.

        `tried` holds for each name of a group what came of it returning nothing, and under ``other`` of all
        of them returning another value.
        """
        other = tried.get("other")
        self.looks = self.looks or any(each.red and each.kind == "then" for each in tried.values())
        if self.looks or other is None or other.red is not False:
            return
        nothing = any(name in tried and tried[name].red is False for name in groups)
        self.careless = (other.altered or (other.kept and nothing)) and not self._compares_alike()

    def _compares_alike(self) -> bool:
        """Whether each Then step says that something is not so, or that things are the same."""
        steps: list[Step] = [self.single.scenario.steps[number] for number in self.outcome_steps()]
        return all(negated(step) or bool(_SAMENESS.search(step.text)) for step in steps)


def subjects(found: Sequence[Single], proofs: Sequence[ScenarioProof]) -> list[Subject]:
    """The scenarios to try: of an outline the first and the last row that pass."""
    rows: dict[int, list[int]] = {}
    for number, (single, proof) in enumerate(zip(found, proofs, strict=True)):
        if proof.head == "passed":
            rows.setdefault(single.outline, []).append(number)
    chosen = []
    for numbers in rows.values():
        for number in dict.fromkeys([numbers[0], numbers[-1]]):
            proof = proofs[number]
            others = numbers if number == numbers[0] else [number]
            related = proof.proven and not proof.kept
            chosen.append(Subject(number, found[number], others, related, proof.loaded, flips(found[number])))
    return chosen
