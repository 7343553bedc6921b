"""Run one step with other values on behave's context, and watch whether it uses anything else.

A step that passes with any values there, and that uses nothing but its own files, cannot depend on what the
code under test does.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import behave.runner
import scenarist_steps

# Names that behave itself puts on the context.
_BEHAVE = frozenset(
    [
        *("aborted", "active_outline", "captured", "cleanup_errors", "config", "failed"),
        *("feature", "fail_on_cleanup_errors", "log_capture", "rule", "runner", "scenario"),
        *("step", "stderr_capture", "stdout_capture", "table", "tags", "text"),
    ]
)
# Modules that bring nothing of the outside world into a step.
_HARMLESS = frozenset(
    [
        *("abc", "asyncio", "behave", "builtins", "collections", "contextlib", "copy"),
        *("dataclasses", "decimal", "enum", "fractions", "functools", "importlib", "inspect"),
        *("itertools", "json", "logging", "math", "operator", "parse", "parse_type", "queue"),
        *("re", "string", "threading", "types", "typing", "unittest", "warnings", "weakref"),
        *("_weakrefset", "_thread", "scenarist_context"),
    ]
)
# Modules written in C through which a step sees files, processes, the network, or the time.
_OUTSIDE = frozenset(
    [
        *("posix", "nt", "io", "_io", "_socket", "_ssl", "_sqlite3", "select"),
        *("_posixsubprocess", "time", "_ctypes", "mmap", "fcntl", "signal"),
    ]
)

# Makes another value of one; the number tells the places on the context apart, so that no two of them become
# equal.
Change = Callable[[Any, int], Any]

_SOMETHING: dict[int, object] = {}
_SETTING = getattr(behave.runner.Context.__setattr__, "__code__", None)
# The names of changes that put what a step says is not so on the context: one for each value it may mean.
_HAVING = "having "


class Watch:
    """Watches one step. `used` is whether it used anything but its own files and the context.

    `folders` are the folders, relative to the working directory, whose files belong to the steps.
    """

    def __init__(self, folders: tuple[str, ...]) -> None:
        self.used = False
        self._folders = folders
        self._known: set[CodeType] = set()
        # The step's own outermost frame, while it runs: what behave does around it does not count.
        self._within: FrameType | None = None
        # behave's own code that puts a value on the context, while it runs: it looks at the call stack.
        self._behaves: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._within is None:
            if event != "call" or not self._own(frame.f_code.co_filename):
                return
            self._within = frame
        elif event == "return" and frame is self._within:
            self._within = None
        if self._behaves is not None:
            if event == "return" and frame is self._behaves:
                self._behaves = None
            return
        if event == "call" and frame.f_code is _SETTING:
            self._behaves = frame
            return
        if self.used or frame.f_code.co_name.startswith("_scenarist_"):
            return
        if event == "call":
            self._call(frame)
        elif event == "c_call":
            self.used = getattr(argument, "__module__", None) in _OUTSIDE

    def _call(self, frame: FrameType) -> None:
        code = frame.f_code
        if code in self._known:
            return
        self._known.add(code)
        if not self._own(code.co_filename):
            name = str(frame.f_globals.get("__name__", ""))
            self.used = name.partition(".")[0] not in _HARMLESS
            return
        for name in code.co_names:
            held = frame.f_globals.get(name, sys.modules.get(name))
            self.used = self.used or (held is not None and not self._belongs(held))

    def _belongs(self, held: Any) -> bool:
        """Return whether a global name of a step is one of the steps' own, or of something harmless."""
        file, module = "", ""
        if isinstance(held, ModuleType):
            file, module = getattr(held, "__file__", None) or "", held.__name__
        elif isinstance(held, FunctionType):
            # behave loads step files without a module's name.
            file, module = held.__code__.co_filename, str(held.__module__)
        elif isinstance(held, type):
            module = held.__module__
            file = getattr(sys.modules.get(module), "__file__", None) or ""
        return self._own(file) or module.partition(".")[0] in _HARMLESS

    def _own(self, file: str) -> bool:
        return os.path.relpath(file or os.sep).startswith(self._folders)


def names(context: Any) -> set[str]:
    """Return the names that steps and hooks have put on the context."""
    every = (name for frame in context._stack for name in list(frame))
    return {name for name in every if not name.startswith(("_", "@")) and name not in _BEHAVE}


@contextlib.contextmanager
def other_values(context: Any, change: Change) -> Iterator[tuple[list[str], set[str]]]:
    """Replace each value that steps have put on the context by `change(value, place)` until the end.

    Yields the names that are asked for meanwhile and are not there, and all that are asked for.
    """
    missing: list[str] = []
    every: set[str] = set()
    kind = type(context)
    ask, holds = kind.__dict__.get("__getattr__"), kind.__contains__
    kept = [
        (frame, name, frame[name])
        for frame in context._stack
        for name in list(frame)
        if not name.startswith(("_", "@")) and name not in _BEHAVE
    ]

    def asked(self: Any, name: str) -> Any:
        missing.append(name)
        every.add(name)
        if ask is None:
            raise AttributeError(name)
        found = ask(self, name)
        missing.pop()
        return found

    def held(self: Any, name: str) -> bool:
        every.add(name)
        if holds(self, name):
            return True
        missing.append(name)
        return False

    for place, (frame, name, value) in enumerate(kept):
        frame[name] = change(value, place)
    kind.__getattr__, kind.__contains__ = asked, held
    try:
        yield missing, every
    finally:
        kind.__contains__ = holds
        if ask is None:
            del kind.__getattr__
        else:
            kind.__getattr__ = ask
        for frame, name, value in kept:
            if name in frame:
                frame[name] = value


def alike(value: Any, place: int) -> Any:
    """Return another value of the same kind, if one is known."""
    kind = type(value)
    if kind is bool:
        return not value
    if kind in (int, float):
        return value + 1 + place
    if kind is str:
        return value + "x" * (1 + place)
    if kind in (list, tuple):
        return value[:-1] if value and not place % 2 else kind([*value, None])
    if kind is dict:
        return {} if value else {"x": place}
    return foreign(value, place)


def unlike(value: Any, place: int) -> Any:
    """Return a value of the same kind that has nothing in common with it, and has neither an order nor a
    symmetry.
    """
    kind = type(value)
    if kind is bool:
        return not value
    if kind in (int, float):
        return kind(-98765 - place)
    if kind is str:
        return f"zq{place}a\u2603"
    if kind in (list, tuple):
        first = value[0] if value else "x"
        return kind([unlike(first, place + 2), alike(first, place), unlike(first, place + 2)])
    if kind in (set, frozenset):
        return kind([f"zq{place}"])
    if kind is dict:
        return {key: unlike(each, place) for key, each in value.items()} or {"x": place}
    return foreign(value, place)


def foreign(_value: Any, place: int) -> Any:
    """Return an object that a step cannot know anything about."""
    return _SOMETHING.setdefault(place, object())


def change_of(how: str, name: str, function: Any) -> Change:
    """Return the change called `how`, for a step of this name and definition."""
    if not how.startswith(_HAVING):
        return CHANGES[how]
    wanted = scenarist_steps.candidates(name, function)
    number = int(how.removeprefix(_HAVING))
    if number >= len(wanted):
        return _same
    return lambda value, _place: scenarist_steps.having(value, wanted[number])


def _same(value: Any, _place: int) -> Any:
    return value


CHANGES: dict[str, Change] = {
    "own": _same,
    "alike": alike,
    "unlike": unlike,
    "foreign": foreign,
    "nothing": lambda _value, _place: None,
}
