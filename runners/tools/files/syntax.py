"""Check whether a file that was just written can be read by the program it is for."""

import ast
import json
import tomllib
import warnings
from pathlib import PurePosixPath

import yaml

_MAX_CHARACTERS = 1_000_000


def problem(path: str, text: str) -> str | None:
    """Return what is wrong with the syntax of `text`, in one line.

    None if nothing is or the kind of file is not known.
    """
    check = _CHECKS.get(PurePosixPath(path).suffix.lower())
    if check is None or len(text) > _MAX_CHARACTERS:
        return None
    try:
        return check(text.removeprefix("\ufeff"))
    except (RecursionError, MemoryError):
        return "it is nested too deeply to be read"


def _python(text: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except ValueError as error:
        return str(error)
    return None


def _json(text: str) -> str | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}: {error.msg}"
    except ValueError as error:
        return str(error)
    return None


def _yaml(text: str) -> str | None:
    try:
        for _ in yaml.parse(
            text, Loader=yaml.SafeLoader
        ):  # events only: nothing is built, no alias is followed
            pass
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return f"line {line}: {error.problem}"
    except yaml.YAMLError as error:
        return str(error).splitlines()[0]
    return None


def _toml(text: str) -> str | None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return str(error)
    return None


def _feature(text: str) -> str | None:
    from behave.parser import ParserError, parse_feature  # slow to import, and seldom needed

    try:
        feature = parse_feature(text)
    except ParserError as error:
        return " ".join(str(error.args[0]).split())
    except Exception as error:  # an unknown `# language:` is a KeyError, for one
        return f"behave cannot read it ({type(error).__name__}: {error})"
    if feature is None:
        return "there is no `Feature:` in it"
    # A mistyped keyword makes the rest of a block its description: no error, and no scenario.
    scenarios = list(feature.walk_scenarios())
    if not scenarios:
        return "there is no scenario in it"
    empty = next((scenario for scenario in scenarios if not scenario.steps), None)
    return None if empty is None else f"line {empty.line}: the scenario `{empty.name}` has no steps"


_CHECKS = {
    ".py": _python,
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".toml": _toml,
    ".feature": _feature,
}
