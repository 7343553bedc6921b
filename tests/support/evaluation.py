"""Attempts at tasks, as a harness keeps them."""

from typing import Any

from bot.evaluation.attempts import HiddenResult, TaskAttempt

PASSES = HiddenResult(passed=("t.py::test",))
FAILS = HiddenResult(passed=("t.py::test",), failed=("t.py::other",))
PROVEN = {"status": "done", "gate": "green"}
RED = {"status": "gave_up", "gate": "red"}


def attempt(task: str = "one", seed: int = 1, **more: Any) -> TaskAttempt:
    return TaskAttempt.model_validate({"task": task, "seed": seed, "kind": "bug", **more})
