"""The base class of all errors that a user can see: a stable code, what happened, what to do."""

from typing import ClassVar


class Cancelled(Exception):
    """The work was cancelled from outside, which is not an error."""


class ScenaristError(Exception):
    """An error with a stable code and a next step.

    Subclasses set `code` (``SCN-`` and four digits, never reused) and `next_step` (one sentence for
    the reader); `message` says what happened and must hold no secret. `docs/errors.md` lists them all.
    A `next_step` that is given with the message replaces the class's own.
    """

    code: ClassVar[str] = "SCN-0000"
    next_step: str = "Report this with the run's log: it is a defect in Scenarist."

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        if next_step:
            self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.next_step}"


def described(error: BaseException) -> str:
    """Return the kind of an error and the first line of its message, for a log: at most 300 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__


def all_errors() -> list[type[ScenaristError]]:
    """Return all subclasses that are imported so far, ordered by code."""
    found: set[type[ScenaristError]] = set()
    queue: list[type[ScenaristError]] = [ScenaristError]
    while queue:
        for sub in queue.pop().__subclasses__():
            if sub not in found:
                found.add(sub)
                queue.append(sub)
    return sorted(found, key=lambda cls: (cls.code, cls.__name__))
