"""Find out whether the code of a step compares by order, by a distance or by a remainder.

Such a step may pass for other values than the one that it names because it is inexact. A step that looks
something up by the value may rightly pass for others as well.
"""

from __future__ import annotations

import dis
import functools
import inspect
import re
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

# In the names of functions and arguments that compare so.
_COMPARING = re.compile(
    r"approx|close|almost|greater|less|range|min|max|round|floor|ceil|trunc|subset|superset|between|near|"
    r"toler|delta|abs|mod|int$",
    re.IGNORECASE,
)
_ORDER = re.compile(r"[<>]")
_REMAINDER = re.compile(r"MODULO|FLOOR_DIVIDE")
# Helpers that call helpers are followed so far.
_DEPTH = 3


@functools.cache
def by_order(function: Any) -> bool:
    """Return whether a function, or one that it calls in its own module or a module beside it, compares
    so.
    """
    if function is None:
        return False
    plain = inspect.unwrap(function)
    return isinstance(plain, FunctionType) and any(_compares(code) for code in _codes(plain, _DEPTH))


def _codes(function: FunctionType, depth: int) -> Iterator[CodeType]:
    """Return the code of a function, and of the functions of the repository's steps that it names."""
    inner = list(_nested(function.__code__))
    yield from inner
    if not depth:
        return
    names = {name for code in inner for name in code.co_names}
    for name in names:
        held = function.__globals__.get(name)
        helpers = [held]
        if isinstance(held, ModuleType) and _is_beside(getattr(held, "__file__", None), function):
            helpers = [getattr(held, each, None) for each in names]
        for helper in helpers:
            if isinstance(helper, FunctionType) and _is_beside(helper.__code__.co_filename, function):
                yield from _codes(helper, depth - 1)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _nested(each)


def _is_beside(file: str | None, function: FunctionType) -> bool:
    """Return whether a file is below the folder of the steps, or above it within the features."""
    here = function.__code__.co_filename.rpartition("/")[0].removesuffix("/steps")
    return bool(file) and str(file).startswith(here)


def _compares(code: CodeType) -> bool:
    if any(_COMPARING.search(name) for name in (*code.co_names, *_keywords(code))):
        return not code.co_name.startswith("_scenarist_")
    for each in dis.get_instructions(code):
        if each.opname == "COMPARE_OP" and _ORDER.search(each.argrepr):
            return True
        if _REMAINDER.search(each.opname) or (each.opname == "BINARY_OP" and each.argrepr[:1] in ("%", "/")):
            # Text is formatted by the same operator; that it is written so shows nothing.
            return True
    return False


def _keywords(code: CodeType) -> Iterator[str]:
    for each in code.co_consts:
        if isinstance(each, tuple):
            yield from (name for name in each if isinstance(name, str) and name.isidentifier())
