"""Detect that code under test has replaced functions of the test runner, whose results then mean nothing."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

import scenarist_path


def parts(*packages: str) -> dict[str, tuple[Any, ...]]:
    """Return the functions in the loaded modules of `packages` and in their classes, by name.

    Of `builtins` all values are returned, not only functions.
    """
    found = {}
    for name, module in list({**sys.modules, **scenarist_path.kept}.items()):
        if name.partition(".")[0] in packages:
            for key, value in list(vars(module).items()):
                # All built-in names count except `_`, which holds the last result of an interactive session.
                found[f"{name}.{key}"] = (value, None) if name == "builtins" and key != "_" else marks(value)
                if isinstance(value, type) and value.__module__ == name:
                    for own, method in list(vars(value).items()):
                        found[f"{name}.{key}.{own}"] = marks(method)
    return {name: seen for name, seen in found.items() if seen}


def marks(value: Any) -> tuple[Any, ...]:
    """Return a function and its code, by which a replacement is found; empty for other values."""
    if isinstance(value, property):
        value = value.fget
    inner = getattr(value, "__func__", value)
    return (inner, inner.__code__) if isinstance(inner, FunctionType) else ()


def replaced(
    before: dict[str, tuple[Any, ...]], now: dict[str, tuple[Any, ...]], remade: tuple[str, ...] = ()
) -> list[str]:
    """Return the names of functions in `before` that are missing or different in `now`.

    The runner itself replaces the functions `remade`: of these only the code must be the same.
    """
    return sorted(
        name
        for name, was in before.items()
        if len(now.get(name, ())) != len(was)
        or was[1] is not now[name][1]
        or (was[0] is not now[name][0] and name not in remade)
    )
