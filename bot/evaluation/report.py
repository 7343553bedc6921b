"""Compute a report from attempts: counts, rates, spending, and pass^k."""

import statistics
from collections.abc import Iterable, Sequence
from math import comb

from bot.evaluation.attempts import About, Experiments, RoleUse, TaskAttempt, TaskOutcome, by_task
from gherkin.values import Frozen
from runners.verify.findings import Tally


class Summary(Frozen):
    """The totals of some attempts. All counts are of attempts; `infra` ones are in no other count.

    `possible` and `impossible` are how many attempts were at tasks that can and cannot be done. `green` is
    how many changes the gate called proven. `tokens` and `cost` (US dollars) are sums, `wall_s` (seconds) and
    `turns` medians. `passes` maps k to pass^k: the chance that k attempts at a task are all right.
    """

    name: str
    attempts: int = 0
    infra: int = 0
    possible: int = 0
    impossible: int = 0
    green: int = 0
    resolved: int = 0
    false_green: int = 0
    false_red: int = 0
    unresolved: int = 0
    refused: int = 0
    wrongly_refused: int = 0
    tokens: int = 0
    cost: float = 0.0
    wall_s: float = 0.0
    turns: float = 0.0
    experiments: Experiments = Experiments()
    passes: dict[int, float] = {}


class Report(Frozen):
    """The report on one folder of results: in all, by kind of work, mode, model and role, and by task."""

    about: About
    total: Summary
    by_kind: tuple[Summary, ...]
    by_mode: tuple[Summary, ...]
    by_role: tuple[RoleUse, ...]
    tasks: dict[str, tuple[TaskOutcome, ...]]
    infra: dict[str, str]


def report(about: About, attempts: Sequence[TaskAttempt]) -> Report:
    """Return the report on `attempts`."""
    return Report(
        about=about,
        total=summary("all", attempts),
        by_kind=_grouped(attempts, [_kind(each) for each in attempts]),
        by_mode=_grouped(attempts, [each.mode for each in attempts]),
        by_role=uses(attempts),
        tasks={task: tuple(each.outcome for each in found) for task, found in by_task(attempts).items()},
        infra={f"{each.task} ({each.seed})": each.infra for each in attempts if each.infra},
    )


def summary(name: str, attempts: Iterable[TaskAttempt]) -> Summary:
    """Return what `attempts` came to."""
    every = list(attempts)
    known = [each for each in every if not each.infra]
    outcomes = [each.outcome for each in known]
    return Summary(
        name=name,
        attempts=len(known),
        infra=len(every) - len(known),
        possible=sum(not each.impossible for each in known),
        impossible=sum(each.impossible for each in known),
        green=sum(each.proven for each in known),
        resolved=outcomes.count("resolved"),
        false_green=outcomes.count("false green"),
        false_red=outcomes.count("false red"),
        unresolved=outcomes.count("unresolved"),
        refused=outcomes.count("refused"),
        wrongly_refused=outcomes.count("wrongly refused"),
        tokens=sum(each.tokens for each in known),
        cost=sum(each.cost for each in known),
        wall_s=statistics.median(each.wall_s for each in known) if known else 0.0,
        turns=statistics.median(each.turns for each in known) if known else 0.0,
        experiments=_experiments(known),
        passes=passes(known),
    )


def passes(attempts: Iterable[TaskAttempt]) -> dict[int, float]:
    """Return pass^k by k, up to the fewest attempts that any task has.

    A task with n attempts of which c are right counts C(c, k) / C(n, k), the unbiased estimate of
    https://arxiv.org/abs/2406.12045 (tau-bench); pass^k is their mean.
    """
    tasks = [[each.right for each in found] for found in by_task(attempts).values()]
    most = min(map(len, tasks), default=0)
    return {
        k: sum(comb(sum(found), k) / comb(len(found), k) for found in tasks) / len(tasks)
        for k in range(1, most + 1)
    }


def uses(attempts: Iterable[TaskAttempt]) -> tuple[RoleUse, ...]:
    """Return what each model used in each role, the roles in alphabetical order."""
    found: dict[tuple[str, str], RoleUse] = {}
    for each in (use for attempt in attempts for use in attempt.uses):
        before = found.get((each.role, each.model), RoleUse(role=each.role, model=each.model))
        found[each.role, each.model] = before.model_copy(
            update={
                "turns": before.turns + each.turns,
                "tokens": before.tokens + each.tokens,
                "cost": before.cost + each.cost,
            }
        )
    return tuple(found[key] for key in sorted(found))


def _grouped(attempts: Sequence[TaskAttempt], names: Sequence[str]) -> tuple[Summary, ...]:
    groups: dict[str, list[TaskAttempt]] = {}
    for name, attempt in zip(names, attempts, strict=True):
        groups.setdefault(name, []).append(attempt)
    return tuple(summary(name, groups[name]) for name in sorted(groups))


def _kind(attempt: TaskAttempt) -> str:
    return "cannot be done" if attempt.impossible else attempt.kind


def _experiments(attempts: Sequence[TaskAttempt]) -> Experiments:
    added = {}
    for name in Experiments.model_fields:
        tallies = [getattr(each.experiments, name) for each in attempts]
        added[name] = Tally(
            good=sum(each.good for each in tallies), tried=sum(each.tried for each in tallies)
        )
    return Experiments(**added)
