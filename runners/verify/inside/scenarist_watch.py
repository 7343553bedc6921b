"""Notices when code under test replaces functions of a test runner: what such a runner says of a test means
nothing."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any


def parts(*packages: str) -> dict[str, tuple[Any, ...]]:
    """The functions in the loaded modules of `packages` and in their classes, by name.

    Of `builtins` everything.
    """
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in packages:
            for key, value in list(vars(module).items()):
                # Of Python's own names each counts, but the one that holds the last result.
                found[f"{name}.{key}"] = (value, None) if name == "builtins" and key != "_" else marks(value)
                if isinstance(value, type) and value.__module__ == name:
                    for own, method in list(vars(value).items()):
                        found[f"{name}.{key}.{own}"] = marks(method)
    return {name: seen for name, seen in found.items() if seen}


def marks(value: Any) -> tuple[Any, ...]:
    """What makes a function the one it is; nothing for what is no function."""
    if isinstance(value, property):
        value = value.fget
    inner = getattr(value, "__func__", value)
    return (inner, inner.__code__) if isinstance(inner, FunctionType) else ()


def replaced(
    before: dict[str, tuple[Any, ...]], now: dict[str, tuple[Any, ...]], remade: tuple[str, ...] = ()
) -> list[str]:
    """Names of functions that are not the ones they were, or no functions any more.

    The runner itself makes the functions `remade` anew: of these only the code has to be the same.
    """
    return sorted(
        name
        for name, was in before.items()
        if len(now.get(name, ())) != len(was)
        or was[1] is not now[name][1]
        or (was[0] is not now[name][0] and name not in remade)
    )
