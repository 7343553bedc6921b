"""The catalogue of a repository's step definitions, read by `ast`: none of its code is imported or run."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

import parse as parse_library

from gherkin.spec import Feature, Node, Step

_KINDS = ("given", "when", "then", "step")


class StepDefinition(Node):
    """One step definition; `matcher` is parse, cfparse or re, `line` counts from 1."""

    kind: str
    pattern: str
    path: str
    line: int
    function: str
    matcher: str = "parse"


def catalogue(files: Mapping[str, str]) -> list[StepDefinition]:
    """All step definitions in `files` (path -> source); files that are not Python are left out."""
    found: list[StepDefinition] = []
    for path, source in sorted(files.items()):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        found += _definitions(tree, path)
    return found


def _definitions(tree: ast.Module, path: str) -> Iterator[StepDefinition]:
    names = _decorator_names(tree)
    matcher = "parse"
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value
            if _last_name(called.func) == "use_step_matcher" and called.args:
                matcher = str(_constant(called.args[0]) or "parse")
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for kind, pattern in _patterns(node, names):
            yield StepDefinition(
                kind=kind,
                pattern=pattern,
                path=path,
                line=node.lineno,
                function=node.name,
                matcher=matcher,
            )


def _patterns(
    node: ast.FunctionDef | ast.AsyncFunctionDef, names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call) or not decorator.args:
            continue
        kind = _kind(decorator.func, names)
        pattern = _constant(decorator.args[0])
        if kind is not None and isinstance(pattern, str):
            yield kind, pattern


def _decorator_names(tree: ast.Module) -> dict[str, str]:
    """Local name -> kind, for ``from behave import given as g``; the plain names always count."""
    names = {word: kind for kind in _KINDS for word in (kind, kind.capitalize())}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "behave":
            for alias in node.names:
                if alias.name.lower() in _KINDS:
                    names[alias.asname or alias.name] = alias.name.lower()
    return names


def _kind(func: ast.expr, names: Mapping[str, str]) -> str | None:
    if isinstance(func, ast.Name):
        return names.get(func.id)
    if isinstance(func, ast.Attribute) and func.attr.lower() in _KINDS:
        return func.attr.lower()
    return None


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def describe(definitions: Sequence[StepDefinition], limit: int) -> str:
    """At most `limit` definitions as text for a prompt, one line each."""
    lines = [
        f"{definition.kind.capitalize()} {definition.pattern}  ({definition.path}:{definition.line})"
        for definition in definitions[:limit]
    ]
    if len(definitions) > limit:
        lines.append(f"… and {len(definitions) - limit} more")
    return "\n".join(lines)


def undefined_steps(feature: Feature, definitions: Sequence[StepDefinition]) -> list[Step]:
    """The steps no definition matches, each text once; steps with outline placeholders are left out."""
    missing: dict[tuple[str, str], Step] = {}
    for step in _all_steps(feature):
        if re.search(r"<[^<>]+>", step.text):
            continue
        if not any(_matches(definition, step) for definition in definitions):
            missing.setdefault((step.kind, step.text), step)
    return list(missing.values())


def _all_steps(feature: Feature) -> Iterator[Step]:
    for background in (feature.background, *(rule.background for rule in feature.rules)):
        if background is not None:
            yield from background.steps
    for scenario in feature.all_scenarios():
        yield from scenario.steps


def _matches(definition: StepDefinition, step: Step) -> bool:
    if definition.kind not in (step.kind, "step"):
        return False
    try:
        if definition.matcher == "re":
            return re.fullmatch(definition.pattern, step.text) is not None
        return parse_library.parse(definition.pattern, step.text, case_sensitive=True) is not None
    except (ValueError, re.error, NotImplementedError):
        # A custom type that only the repository knows: the literal parts decide.
        literal = [re.escape(part) for part in re.split(r"\{[^}]*\}", definition.pattern)]
        return re.fullmatch(".+".join(literal), step.text) is not None


def skeletons(steps: Sequence[Step]) -> str:
    """Python source of step definitions that raise NotImplementedError, for steps that have none."""
    kinds = sorted({step.kind for step in steps})
    lines = [f"from behave import {', '.join(kinds)}"] if kinds else []
    for number, step in enumerate(steps, start=1):
        words = re.findall(r"[a-z0-9]+", step.text.lower())
        name = "_".join(words)[:50] or "step"
        lines += [
            "",
            "",
            f"@{step.kind}({step.text!r})",
            f"def {name}_{number}(context):",
            f"    raise NotImplementedError({f'STEP: {step.kind.capitalize()} {step.text}'!r})",
        ]
    return "\n".join(lines) + "\n" if lines else ""


def assertionless(source: str) -> list[tuple[str, int]]:
    """(function, line) of the Then steps of a Python source whose body cannot fail.

    Only bodies made of nothing but constants, `pass`, returns and assignments of constants, and asserts of
    constants are named: any call might assert. Raises `SyntaxError` when the source is not Python.
    """
    tree = ast.parse(source)
    names = _decorator_names(tree)
    hollow = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            kinds = {kind for kind, _ in _patterns(node, names)}
            if "then" in kinds and not any(_can_fail(statement) for statement in node.body):
                hollow.append((node.name, node.lineno))
    return hollow


def _can_fail(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assert):
        return not _is_constant(statement.test)
    if isinstance(statement, (ast.Pass, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)):
        return False
    if isinstance(statement, ast.Expr):
        return not _harmless(statement.value)
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Return)):
        return statement.value is not None and not _harmless(statement.value)
    return True


def _harmless(value: ast.expr) -> bool:
    """Constants, plain names, and printing."""
    if isinstance(value, ast.Call):
        return _last_name(value.func) in ("print", "log", "info", "debug")
    return _is_constant(value) or isinstance(value, ast.Name)


def _is_constant(node: ast.expr) -> bool:
    """Whether the expression has the same value whatever the code does."""
    if isinstance(node, ast.Compare):
        same = len(node.comparators) == 1 and ast.dump(node.left) == ast.dump(node.comparators[0])
        return same or all(_is_constant(part) for part in (node.left, *node.comparators))
    if isinstance(node, ast.BoolOp):
        always = [value for value in node.values if isinstance(value, ast.Constant) and value.value]
        return all(map(_is_constant, node.values)) or (isinstance(node.op, ast.Or) and bool(always))
    if isinstance(node, ast.UnaryOp):
        return _is_constant(node.operand)
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return all(_is_constant(part) for part in node.elts) or bool(
            node.elts and isinstance(node, ast.Tuple)
        )
    return isinstance(node, ast.Constant)
