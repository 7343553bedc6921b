"""Calls functions of the code under test again: once as steps call them, and once as if no test ran.

A function that gives another result then knows that it is tested. What is hidden are the test runners, the
features, the captured output, and the callers.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

_RUNNERS = ("behave", "pytest", "_pytest", "scenarist")
_MOST = 10
_SECONDS = 2.0
_LATE = "TookTooLong"
# What a call of an instrumented function is told as: a number, its place, its arguments, its result, its
# module, its name, and the name and file of its caller.
_FIELDS = 8


def knowing(
    lines: Sequence[Any],
    folder: str,
    names_in: Callable[[str], dict[str, Any]],
) -> list[list[str]]:
    """Return the calls among `lines` that give another result where no test runs: the place of the function,
    the call, its result, and the other result.

    `folder` is that of the features; `names_in(file)` are the global names of a step file. Calls with
    arguments other than plain values are left out, and so are functions that give another result each time,
    or that tell of what is hidden.
    """
    found: list[list[str]] = []
    seen: set[tuple[str, ...]] = set()
    for place, name, arguments, result, module, caller, file in _calls(lines):
        function = getattr(sys.modules.get(module), name, None)
        key = (module, name, *arguments)
        if not isinstance(function, FunctionType) or key in seen or len(seen) >= _MOST:
            continue
        # What steps call with values, and not what looks around for everybody.
        if not arguments or f"{os.sep}steps{os.sep}" not in file:
            continue
        seen.add(key)
        with contextlib.suppress(ValueError, SyntaxError):
            given = [ast.literal_eval(each) for each in arguments]
            known = _caller(caller, file, names_in(file))
            if _tested(known, function, given) != result:
                continue
            other = _untested(function, given, folder)
            # One that takes long may only be slow just now.
            told = any(word in result + other for word in (*_RUNNERS, os.path.basename(folder)))
            if not told and other not in (result, _LATE) and _tested(known, function, given) == result:
                found.append([place, f"{name}({', '.join(arguments)})", result, other])
    return found


def _calls(lines: Sequence[Any]) -> Iterator[tuple[str, str, list[str], str, str, str, str]]:
    running: dict[int, list[Any]] = {}
    for line in lines:
        if not isinstance(line, list) or len(line) != _FIELDS:
            continue
        number, place, arguments, result, module, name, caller, file = line
        if place:
            running[number] = line
        elif number in running:
            _, place, arguments, _, module, name, caller, file = running.pop(number)
            yield place, name, arguments, result, module, caller, file


def _caller(name: str, file: str, names: dict[str, Any]) -> Any:
    """Return a function of this name and file, with these global names, that calls another one."""

    def call(function: Any, given: list[Any]) -> Any:
        return function(*given)

    return FunctionType(call.__code__.replace(co_name=name, co_filename=file), dict(names))


def _tested(call: Any, function: Any, given: list[Any]) -> str:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return _outcome(call, function, given)


def _untested(function: Any, given: list[Any], folder: str) -> str:
    modules = {name: module for name, module in sys.modules.items() if name.startswith(_RUNNERS)}
    main, argv, environment = sys.modules["__main__"], sys.argv, dict(os.environ)
    hidden = f"{folder}-of-{os.getpid()}"
    call = _caller("run", "app.py", {"__name__": "app"})
    moved = False
    try:
        for name in modules:
            sys.modules.pop(name, None)
        sys.modules["__main__"] = ModuleType("__main__")
        sys.argv = ["app"]
        for name in [name for name in os.environ if name.startswith(("PYTEST", "BEHAVE"))]:
            del os.environ[name]
        with contextlib.suppress(OSError):
            os.rename(folder, hidden)
            moved = True
        with (
            open(os.devnull, "w", encoding="utf-8") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            return _outcome(call, function, given)
    finally:
        if moved:
            with contextlib.suppress(OSError):
                os.rename(hidden, folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.modules["__main__"], sys.argv = main, argv
        sys.modules.update(modules)


def _outcome(call: Any, function: Any, given: list[Any]) -> str:
    """Return the result as Python writes it, or the kind of the error."""
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        return repr(call(function, given))[:200]
    except BaseException as error:  # the code may end in any way, also by ending the process
        return f"{type(error).__name__}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
