"""What the experiments on a change found."""

from gherkin.values import Frozen


class Tally(Frozen):
    """How many of the variants that could be tried had the outcome that they should have."""

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
        """Return one line for people, such as ``flips 3/3 · sabotage 2/2``; empty when nothing could be
        tried.
        """
        parts = [("flips", self.flips), ("sabotage", self.sabotage), ("held-out", self.held_out)]
        return " · ".join(f"{name} {tally}" for name, tally in parts if tally.tried)


class HeldOut(Frozen):
    """One further example of a scenario with its outcome: ``passed``, ``failed`` or ``unmatched``.

    `scenario` is the name of the scenario that it belongs to. `behaviour` is the sentence that must hold (the
    rule's, or else the scenario's name). `text` are the example's steps.
    """

    scenario: str
    behaviour: str
    text: str
    outcome: str


class Bite(Frozen):
    """How many faults were tried and noticed; `survivors` describes the others.

    `unreached` is how many of the survivors are in lines that no scenario and no test runs; it is counted
    only if too few faults were noticed. `untried` is how many more were chosen but not tried, because there
    was no time.
    """

    tried: int
    killed: int
    survivors: tuple[str, ...] = ()
    unreached: int = 0
    untried: int = 0

    @property
    def percent(self) -> int:
        return 100 * self.killed // self.tried if self.tried else 100

    @property
    def reached(self) -> int:
        """Return how many of the faults that were tried are in lines that a scenario or test runs."""
        return self.tried - self.unreached

    @property
    def percent_of_reached(self) -> int:
        return 100 * self.killed // self.reached if self.reached else 100


class Crossed(Frozen):
    """The result of candidate `number` with the scenarios' steps and the new tests of candidate `of`.

    `failed` are the names of failing scenarios and tests. If `problem` is set, the run has no meaning.
    """

    number: int
    of: int
    passed: int = 0
    failed: tuple[str, ...] = ()
    problem: str = ""
