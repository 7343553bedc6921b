"""Events of runs in which several models work on one change: candidates, critiques, pairs."""

from typing import Literal

from pydantic import Field

from gherkin.values import Frozen
from runners.verify.findings import Crossed

PairOutcome = Literal["approved", "objected", "declined", "bounded"]
Criterion = Literal["correctness", "scope", "simplicity", "style", "security"]


class CandidateWork(Frozen):
    """Base class of events about the work on a change.

    `candidate` is the number of the candidate that the event belongs to if candidates are made side by side,
    otherwise 0.
    """

    candidate: int = 0


class CandidateBegun(CandidateWork):
    """Candidate `number` (from 2) begins: `runtime` implements the scenarios from the start. `reason` says
    why.
    """

    type: Literal["CandidateBegun"] = "CandidateBegun"
    number: int
    runtime: str
    reason: str


class CandidateEnded(CandidateWork):
    """Candidate `number` (from 1) is finished; its work is an artifact.

    `runtimes` are those that answered, and `status` is that of its last verdict (``none`` if there is none).
    Of `tried` faults in its lines, `noticed` were noticed. `lines` is how many lines it adds and removes, and
    `cost` is in US dollars.
    """

    type: Literal["CandidateEnded"] = "CandidateEnded"
    number: int
    runtimes: tuple[str, ...]
    status: Literal["green", "warning", "red", "none"]
    head: str = ""
    proof: str = ""
    problems: int = 0
    noticed: int = 0
    tried: int = 0
    lines: int = 0
    turns: int = 0
    tokens: int = 0
    cost: float = 0.0


class CandidateStep(CandidateWork):
    """A candidate that is made side by side with others has implemented or verified.

    The fields are those of a phase's end.
    """

    type: Literal["CandidateStep"] = "CandidateStep"
    phase: Literal["implement", "verify"]
    outcome: str
    reason: str = ""

    @property
    def goes_on(self) -> bool:
        """Return whether the candidate is not finished."""
        outcomes = {"implement": ("done",), "verify": ("red", "critique")}
        return self.outcome in outcomes[self.phase]


class CandidateChosen(Frozen):
    """Candidate `number` is the run's result, for this `reason`; `crossed` are the cross-tests that led to
    it.
    """

    type: Literal["CandidateChosen"] = "CandidateChosen"
    number: int
    reason: str
    crossed: tuple[Crossed, ...] = ()


class Score(Frozen):
    """The score of a critique for one criterion, from 0 (unacceptable) to 4 (nothing to improve).

    `path` and `line` are the place that the `reason` is about; line 0 means no place in particular.
    """

    criterion: Criterion
    score: int = Field(ge=0, le=4)
    reason: str
    path: str = ""
    line: int = 0


class Critiqued(CandidateWork):
    """A model that had no part in the proven change at `head` has scored it, or `problem` says why not."""

    type: Literal["Critiqued"] = "Critiqued"
    head: str
    runtime: str = ""
    model: str = ""
    scores: tuple[Score, ...] = ()
    problem: str = ""


class RevisionJudged(CandidateWork):
    """The gate compared a critiqued change with its revision; `taken` is the one that is kept.

    `reason` is the end of a sentence that begins with "because". `revision` is the commit of the revision,
    empty if there is none.
    """

    type: Literal["RevisionJudged"] = "RevisionJudged"
    taken: Literal["first", "revision"]
    reason: str
    revision: str = ""


class PairTurn(CandidateWork):
    """Step `number` of a pair (from 1 in each candidate): what the runtime `driver` has to do next.

    The runtime `navigator` chose it: a `test` (the file `path` with its `content`, which was run and failed),
    a failing `scenario`, or an objection to the change. If its answer could not be used, `problem` says why,
    and the step is the next failing scenario. ``rest`` stands for all scenarios that still fail after the
    pair's last step.
    """

    type: Literal["PairTurn"] = "PairTurn"
    number: int
    driver: str
    navigator: str
    step: Literal["test", "scenario", "object", "rest"]
    scenario: str = ""
    path: str = ""
    content: str = ""
    reason: str = ""
    problem: str = ""


class PairTurnEnded(CandidateWork):
    """Step `number` of a pair ended: it was run again and is green, or the driver declined the navigator's
    test.
    """

    type: Literal["PairTurnEnded"] = "PairTurnEnded"
    number: int
    outcome: Literal["green", "declined"]


class PairEnded(CandidateWork):
    """The pair's work on a candidate ended; `by` is the runtime that ended it, with its `reason`.

    ``objected`` and ``declined`` are disagreements, after which another candidate is made with the roles
    swapped. ``bounded`` means that a limit was reached.
    """

    type: Literal["PairEnded"] = "PairEnded"
    outcome: PairOutcome
    by: str
    reason: str
