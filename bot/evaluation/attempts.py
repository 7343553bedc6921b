"""One attempt at a task with its result, and the file that stores all attempts."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from gherkin.errors import ScenaristError
from gherkin.issue.kinds import Kind
from gherkin.values import Frozen
from runners.verify.findings import Tally

GateState = Literal["green", "warning", "red", "none"]
TaskOutcome = Literal[
    "resolved", "false green", "false red", "unresolved", "refused", "wrongly refused", "infra"
]
# Ends that are right: a proven change that passes the hidden tests, or saying that the task cannot be done.
RIGHT: tuple[TaskOutcome, ...] = ("resolved", "refused")

_ATTEMPTS = "attempts.jsonl"
_ABOUT = "eval.json"


class ResultInvalid(ScenaristError):
    """A folder does not hold the results of `scenarist eval run`, or those of another set."""

    code = "SCN-7062"
    next_step = "Give the folder that `scenarist eval run --out` wrote; use another --out for another set."


class HiddenResult(Frozen):
    """The results of the hidden tests: the ids of those that passed and of those that did not.

    `problem` says why they could not be run to the end.
    """

    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    problem: str = ""

    @property
    def green(self) -> bool:
        """Return whether there were tests and all of them passed."""
        return bool(self.passed) and not self.failed and not self.problem


class RoleUse(Frozen):
    """What one model used in one role; `cost` is in US dollars."""

    role: str
    model: str
    turns: int = 0
    tokens: int = 0
    cost: float = 0.0


class Experiments(Frozen):
    """How many variants of the gate's experiments were noticed, of those tried."""

    flips: Tally = Tally()
    sabotage: Tally = Tally()
    held_out: Tally = Tally()
    mutants: Tally = Tally()


class TaskAttempt(Frozen):
    """One run on one task. `seed` counts a task's attempts from 1.

    `status` is the run's end, `gate` the state of its last verdict. `refused` says how the model refused the
    task. `hidden` is None if nothing was judged: the task cannot be done, or the run left no work. `patch` is
    the diff from the base to the result. `wall_s` is in seconds, `cost` in US dollars. `infra` says why the
    attempt shows nothing about the models: the machine, a server or a registry failed.
    """

    task: str
    seed: int
    kind: Kind
    impossible: bool = False
    mode: str = "solo"
    run: str = ""
    status: str = ""
    gate: GateState = "none"
    refused: Literal["", "ask", "give_up"] = ""
    hidden: HiddenResult | None = None
    reason: str = ""
    infra: str = ""
    turns: int = 0
    tokens: int = 0
    cost: float = 0.0
    wall_s: float = 0.0
    uses: tuple[RoleUse, ...] = ()
    experiments: Experiments = Experiments()
    patch: str = ""

    @property
    def proven(self) -> bool:
        """Return whether the run ended with a change that the gate calls proven."""
        return self.status == "done" and self.gate in ("green", "warning")

    @property
    def outcome(self) -> TaskOutcome:
        """Return what came of the attempt, in one word."""
        if self.infra:
            return "infra"
        passes = self.hidden is not None and self.hidden.green
        if self.proven:
            return "resolved" if passes and not self.impossible else "false green"
        if self.refused:
            return "refused" if self.impossible else "wrongly refused"
        return "false red" if passes and not self.impossible else "unresolved"

    @property
    def right(self) -> bool:
        """Return whether the attempt ended as it should."""
        return self.outcome in RIGHT


class About(Frozen):
    """The subject of a folder of results: the set, the models and the settings that all attempts share.

    `tasks` maps the id of each task to a hash of its definition in the set.
    """

    set_name: str
    models: str
    seeds: int
    mode: str
    tasks: dict[str, str]


class EvalResults:
    """The results below a folder. An attempt is stored when it has ended, in one write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def about(self) -> About:
        """Return what the results are about. Raises `ResultInvalid`."""
        try:
            return About.model_validate_json((self.folder / _ABOUT).read_bytes())
        except (OSError, ValidationError):
            raise ResultInvalid(f"{self.folder} holds no results of an evaluation.") from None

    def begin(self, about: About) -> None:
        """Make the folder, or go on with what is there; more tasks of a set may come.

        Raises `ResultInvalid` where that is of other models, another mode, or tasks that were changed.
        """
        place = self.folder / _ABOUT
        if place.exists():
            before = self.about
            changed = [
                name for name, digest in about.tasks.items() if before.tasks.get(name, digest) != digest
            ]
            if changed or (before.models, before.mode) != (about.models, about.mode):
                what = f"the task {changed[0]} as it was" if changed else f"{before.models}, {before.mode}"
                raise ResultInvalid(
                    f"{self.folder} holds results of {what}, and something else is tried now."
                )
            about = about.model_copy(update={"tasks": {**before.tasks, **about.tasks}})
        self.folder.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        part.write_text(about.model_dump_json(indent=2) + "\n", encoding="utf-8")
        part.rename(place)

    def add(self, attempt: TaskAttempt) -> None:
        """Store an attempt durably."""
        with (self.folder / _ATTEMPTS).open("ab") as file:
            # A killed process may have left a part of a line.
            start = b"\n" if file.tell() and not self._ends_with_line() else b""
            file.write(start + attempt.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def attempts(self) -> list[TaskAttempt]:
        """Return the newest attempt of each task and seed, in the order in which they ended."""
        try:
            lines = (self.folder / _ATTEMPTS).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found: dict[tuple[str, int], TaskAttempt] = {}
        for line in lines:
            try:
                attempt = TaskAttempt.model_validate_json(line)
            except ValidationError:
                continue  # the part of a line
            found.pop((attempt.task, attempt.seed), None)
            found[attempt.task, attempt.seed] = attempt
        return list(found.values())

    def _ends_with_line(self) -> bool:
        with (self.folder / _ATTEMPTS).open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"


def by_task(attempts: Iterable[TaskAttempt]) -> dict[str, list[TaskAttempt]]:
    """Return the attempts of each task, in the order of seeds."""
    found: dict[str, list[TaskAttempt]] = {}
    for each in sorted(attempts, key=lambda each: each.seed):
        found.setdefault(each.task, []).append(each)
    return found
