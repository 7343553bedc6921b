"""What the experiments on a change found."""

from gherkin.values import Frozen


class Tally(Frozen):
    """How many of the variants that could be tried made the scenario come out as they should."""

    good: int = 0
    tried: int = 0

    def __str__(self) -> str:
        return f"{self.good}/{self.tried}"


class Findings(Frozen):
    """The experiments on one scenario.

    `flips` and `sabotage` count the variants that the scenario noticed, `held_out` the further examples that
    passed. `untried` says in sentences what could not be tried, and why.
    """

    flips: Tally = Tally()
    sabotage: Tally = Tally()
    held_out: Tally = Tally()
    untried: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """One line for people, such as ``flips 3/3 · sabotage 2/2``; empty when nothing could be tried."""
        parts = [("flips", self.flips), ("sabotage", self.sabotage), ("held-out", self.held_out)]
        return " · ".join(f"{name} {tally}" for name, tally in parts if tally.tried)


class HeldOut(Frozen):
    """One further example of a scenario, and what came of it: ``passed``, ``failed`` or ``unmatched``.

    `scenario` is the name of the scenario it belongs to, `behaviour` the sentence that states what is to hold
    (the rule's, or else the scenario's name), `text` the example's steps.
    """

    scenario: str
    behaviour: str
    text: str
    outcome: str


class Bite(Frozen):
    """How many faults were tried and noticed; `survivors` are the others, in words.

    `untried` is how many more were chosen, for which there was no time.
    """

    tried: int
    killed: int
    survivors: tuple[str, ...] = ()
    untried: int = 0

    @property
    def percent(self) -> int:
        return 100 * self.killed // self.tried if self.tried else 100


class Crossed(Frozen):
    """How the candidate `number` did in the scenarios' steps and the new tests of the candidate `of`.

    `failed` are names of failing scenarios and tests. With a `problem` the run says nothing.
    """

    number: int
    of: int
    passed: int = 0
    failed: tuple[str, ...] = ()
    problem: str = ""
