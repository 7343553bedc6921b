"""One scenario that is tried, and what the trials show about it."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from gherkin.feature.model import Step
from runners.verify.experiments.flip import Flip, flips, input_flips, negated, tolerant, words
from runners.verify.experiments.scenarios import Single
from runners.verify.findings import Findings, Tally
from runners.verify.suites.records import Tried
from runners.verify.verdict import ScenarioProof

# Steps that compare one outcome of the code with another one: for them no value is wrong by itself.
_SAMENESS = re.compile(
    r"\b(?:same|again|both|twice|identical|equals?|equal|each other|unchanged|round.?trips?|idempotent\w*|"
    r"empty|zero|gleich\w*|dassel\w*|derselbe|wieder|leer\w*|mismo|misma|même|vide|vac[ií]o)\b",
    re.IGNORECASE,
)
# What a Then step without a value sees in the place of what earlier steps left on the context.
CONTEXTS = ("own", "alike", "unlike", "foreign", "nothing")
# Those among them that leave each value its kind.
_SAME_KIND = ("own", "alike", "unlike")
# What it sees of the processes and tests that it starts; the names are those of the harness.
PROCESSES = ("processes fail", "processes pass")


@dataclass
class TriedScenario:
    """One scenario that is tried.

    `number` is that of its proof, `proofs` are the numbers of all proofs that it stands for. `related`: it is
    red on the base; `loads`: its steps could be loaded there. The rest are the results of the trials so far:
    `noticed` by the place of a flip, `broken` by the name of what was broken.
    """

    number: int
    single: Single
    proofs: list[int]
    related: bool
    loads: bool
    flips: list[Flip]
    inputs: list[Flip] = field(default_factory=list)
    control: bool = False
    # Then steps, by number, whose code compares by order, by a distance or by a remainder.
    ranges: frozenset[int] = frozenset()
    # The files that its Then steps create.
    created: tuple[str, ...] = ()
    noticed: dict[int, bool] = field(default_factory=dict)
    broken: dict[str, bool] = field(default_factory=dict)
    untried: list[str] = field(default_factory=list)
    # What a flip in one direction was, where no value in that direction was noticed.
    lopsided: dict[int, str] = field(default_factory=dict)
    # Flips of numbers in the last column of a table that no change of the number alone was noticed of.
    unread: set[int] = field(default_factory=set)
    blind: Flip | None = None
    # Then steps, by number, that do not depend on the outcome; whose assertions ran over nothing; and whose
    # failing assertions do not make them fail.
    empty: int | None = None
    idle: int | None = None
    swallowed: int | None = None
    # A Then step, by number, that passes whatever comes of the processes or tests that it starts.
    deaf: int | None = None
    # A coroutine that asserts something, and that a Then step made and did not await.
    unawaited: str = ""
    unrelated: bool = False
    held: bool = False
    # Whether it passes only if its own text is in its feature file; and whether it fails among the variants
    # for another reason, so that nothing could be tried on it.
    reads_itself: bool = False
    fails_there: bool = False
    # Whether a Then step noticed that the code came out otherwise, and whether it did and none noticed.
    looks: bool = False
    careless: bool = False
    # Whether callers drop what the code returns, so that only its effects can be looked at.
    dropped: bool = False

    def findings(self) -> Findings:
        return Findings(
            flips=Tally(good=sum(self.noticed.values()), tried=len(self.noticed)),
            sabotage=Tally(good=sum(self.broken.values()), tried=len(self.broken)),
            untried=tuple(self.untried),
        )

    def outcome_steps(self) -> list[int]:
        """Return the numbers of its Then steps."""
        return [number for number, step in enumerate(self.single.scenario.steps) if step.kind == "then"]

    def vague_steps(self) -> list[int]:
        """Return the numbers of its Then steps of which no value could be changed."""
        valued = {self.flips[place].step for place in self.noticed if not self.flips[place].inverted}
        return [each for each in self.outcome_steps() if each not in valued]

    def note_inverted(self, number: int, tried: Tried | None) -> None:
        """Record what a Then step asserted that stayed green with its assertions inverted."""
        step = self.single.scenario.steps[number]
        if tried is None or tried.red is not False:
            return
        if tried.asserted:
            self.swallowed = number if self.swallowed is None else self.swallowed
        elif tried.idle and not tried.judged and not negated(step) and not _SAMENESS.search(step.text):
            self.idle = number if self.idle is None else self.idle

    def note_inputs(self, red: Sequence[bool | None]) -> None:
        """Record if the scenario passes with any numbers in its Given and When steps."""
        known = [each for each in red if each is not None]
        if known and not any(known) and any(self.noticed.values()):
            self.untried.append(
                f"It passes with other numbers before its Then steps too ({self.inputs[0].what}), so it does "
                "not show that the outcome depends on them."
            )

    def judge_flips(self) -> None:
        """Decide which Then step, if any, does not check what it expects."""
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
        strict = not tolerant(step) and not negated(step)
        missed = {place for place in self.lopsided if strict}
        if any(self.noticed[place] and place not in missed for place in decisive):
            self._judge_rows(decisive, strict=strict)
            return
        if missed.intersection(place for place in decisive if self.noticed[place]):
            self._note_blind(decisive)
            return
        if negated(step) or not real:
            for place in tried:
                del self.noticed[place]
            what = " says what is not so, and" if negated(step) else ""
            self.untried.append(f"{said}{what} holds for other values too, so changing them shows nothing.")
        elif not noticed or not all(self.flips[place].reference for place in tried):
            self._note_blind(decisive)

    def _note_blind(self, places: Sequence[int]) -> None:
        flip = self.flips[next((place for place in places if place in self.lopsided), places[0])]
        what = next((self.lopsided[place] for place in places if place in self.lopsided), flip.what)
        self.blind = self.blind or replace(flip, what=what)

    def _judge_rows(self, places: Sequence[int], *, strict: bool) -> None:
        """Decide whether a step ignores a row of its table, or the numbers in its last column."""
        rows: dict[int, list[int]] = {}
        for place in places:
            row = self.flips[place].row
            if row is not None:
                rows.setdefault(row, []).append(place)
        counts = [place for place in places if self.flips[place].counts]
        if strict and counts and self.unread.issuperset(counts):
            self._note_blind(counts)
        for own in rows.values():
            if strict and not any(self.noticed[place] for place in own):
                self.blind = self.blind or self.flips[own[0]]

    def note_wrong(self, tried: Mapping[str, Tried], groups: Sequence[str]) -> None:
        """Record if the scenario stays green although the code returns something else.

        `tried` has the outcomes of each name of a group returning nothing; under ``other`` of all of them
        returning another value; under ``having`` of results that contain what should not be there; and under
        ``unlike`` of results that have nothing in common with their own.
        """
        other = tried.get("other")
        if self.created and all(_is_missed(tried.get(how)) for how in ("other", "unlike")):
            # It compares with a file that it has made from the very same results.
            self.careless = True
            return
        self.looks = self.looks or any(each.red and each.kind == "then" for each in tried.values())
        if self.looks or other is None or other.red is not False:
            return
        green = [name in tried and tried[name].red is False for name in groups]
        if self._compares_alike():
            having = tried.get("having")
            # The results hold what should not be there, or are not there at all, and nobody looks at them.
            self.careless = (
                having is not None
                and having.red is False
                and (having.altered or having.dropped)
                and all(green)
            )
        else:
            self.careless = other.altered or ((other.kept or other.dropped) and any(green))
        self.dropped = other.dropped and not self.careless

    def _compares_alike(self) -> bool:
        """Return whether each Then step says that something is not so, or that two things are the same."""
        steps: list[Step] = [self.single.scenario.steps[number] for number in self.outcome_steps()]
        return all(negated(step) or bool(_SAMENESS.search(step.text)) for step in steps)

    def absent(self) -> list[str]:
        """Return what the Then steps say is not there, if they say nothing else."""
        steps = [self.single.scenario.steps[number] for number in self.outcome_steps()]
        if not all(negated(step) and not _SAMENESS.search(step.text) for step in steps):
            return []
        return [word for step in steps for word in words(step)]


def is_empty(found: Mapping[str, Tried], contexts: Sequence[str]) -> bool:
    """Return whether a step cannot depend on the outcome.

    It uses nothing but the context, and none of its assertions fails for any value there. With values of
    another kind it may raise other errors.
    """
    if not all(how in found and not found[how].used and not found[how].denied for how in contexts):
        return False
    if any(found[how].missing for how in contexts):
        return False
    green = [how for how in contexts if found[how].red is False]
    asserts = bool(found["own"].asserted)
    return len(green) == len(contexts) or (asserts and set(_SAME_KIND) <= set(green))


def looks_for_nothing(found: Mapping[str, Tried], contexts: Sequence[str], names: AbstractSet[str]) -> bool:
    """Return whether a step uses nothing but the context, and looks there only for what is never there or
    always the same.

    `names` are those under which anything puts a value on the context that is not known before.
    """
    if not all(how in found and not found[how].used for how in contexts):
        return False
    own = found["own"]
    return bool(own.asked) and own.red is False and not any(found[how].asked & names for how in contexts)


def is_deaf(found: Mapping[str, Tried]) -> bool:
    """Return whether a step asserts nothing, and passes whether the process that it starts fails or not."""
    tried = [found[how] for how in PROCESSES if how in found]
    own = found.get("own")
    if own is None or own.asserted or own.judged or len(tried) < len(PROCESSES):
        return False
    return all(each.ran and each.red is False for each in tried)


def _is_missed(tried: Tried | None) -> bool:
    """Return whether code returned something else and the scenario did not notice."""
    return tried is not None and tried.red is False and tried.altered


def subjects(found: Sequence[Single], proofs: Sequence[ScenarioProof]) -> list[TriedScenario]:
    """Return the scenarios to try; of an outline, the first and the last row that pass."""
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
            single = found[number]
            own = TriedScenario(
                number, single, others, related, proof.loaded, flips(single), input_flips(single)
            )
            chosen.append(own)
    return chosen
