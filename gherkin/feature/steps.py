"""Read a repository's step definitions with `ast`, without importing or running its code."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from behave.matchers import StepMatcherFactory

from gherkin.feature.model import Feature, Scenario, Step
from gherkin.values import Frozen

_KINDS = ("given", "when", "then", "step")
_MATCHERS = StepMatcherFactory.make_step_matcher_class_mapping()
_PLACEHOLDER = re.compile(r"<([^<>]+)>")


class StepDefinition(Frozen):
    """One step definition; `kind` is given, when, then or step, `line` counts from 1.

    `matcher` is the name given to behave's `use_step_matcher`: parse, cfparse, re, re0 …
    """

    kind: str
    pattern: str
    path: str
    line: int
    function: str
    matcher: str = "parse"


def catalogue(files: Mapping[str, str]) -> list[StepDefinition]:
    """Return all step definitions in `files` (path -> source); files that are not Python are left out."""
    found: list[StepDefinition] = []
    for path, source in sorted(files.items()):
        try:
            found += list(definitions(parse_module(source), path))
        except (SyntaxError, RecursionError):
            continue
    return found


def parse_module(source: str) -> ast.Module:
    """Return the syntax tree. Raises `SyntaxError` for every text that Python cannot compile."""
    try:
        return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from None


def definitions(tree: ast.Module, path: str) -> Iterator[StepDefinition]:
    names = _decorator_names(tree)
    # behave resets the matcher to its default before each step file.
    matcher = "parse"
    for node in statements(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            matcher = _chosen_matcher(node.value) or matcher
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


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements that run on import, in order, also those in ``if``, ``try``, ``with``, classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, (ast.expr, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from statements(child)


def _chosen_matcher(call: ast.Call) -> str | None:
    name = last_name(call.func)
    if name == "use_step_matcher_for_cucumber_expressions":
        return "cucumber_expressions"
    if name not in ("use_step_matcher", "use_default_step_matcher", "step_matcher"):
        return None
    return str(_constant(call.args[0]) or "parse") if call.args else "parse"


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
    """Return local name -> kind, for ``from behave import given as g``; includes behave's own names."""
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


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def describe(definitions: Sequence[StepDefinition], limit: int) -> str:
    """Return at most `limit` definitions as text for a prompt, one a line."""
    lines = [
        f"{definition.kind.capitalize()} {' '.join(definition.pattern.split())}  "
        f"({definition.path}:{definition.line})"
        for definition in definitions[:limit]
    ]
    if len(definitions) > limit:
        lines.append(f"… and {len(definitions) - limit} more")
    return "\n".join(lines)


def undefined_steps(feature: Feature, definitions: Sequence[StepDefinition]) -> list[Step]:
    """Return the steps that no definition matches according to behave's own matchers, each text once.

    A step of an outline is tried with the values of every row, and returned as it is written. A parameter
    type that the repository's code defines matches any text. The repository's regular expressions are run
    without a time limit: the caller must set one for a repository that is not trusted.
    """
    matchers = [(definition.kind, _matcher(definition)) for definition in definitions]

    def defined(step: Step, text: str) -> bool:
        return any(kind in (step.kind, "step") and matches(text) for kind, matches in matchers)

    missing: dict[tuple[str, str], Step] = {}
    for step, texts in _all_steps(feature):
        if not all(defined(step, text) for text in texts):
            missing.setdefault((step.kind, step.text), step)
    return list(missing.values())


def _all_steps(feature: Feature) -> Iterator[tuple[Step, Sequence[str]]]:
    """Yield each step with the texts that it has when it runs."""
    for background in (feature.background, *(rule.background for rule in feature.rules)):
        if background is not None:
            yield from ((step, [step.text]) for step in background.steps)
    for scenario in feature.all_scenarios():
        rows = _rows(scenario)
        yield from ((step, [_filled(step.text, row) for row in rows]) for step in scenario.steps)


def _rows(scenario: Scenario) -> list[dict[str, str]]:
    tables = [examples.table for examples in scenario.examples if examples.table is not None]
    rows = [dict(zip(table.headings, row, strict=True)) for table in tables for row in table.rows]
    return rows or [{}]


def _filled(text: str, row: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: row.get(found.group(1), found.group()), text)


def _matcher(definition: StepDefinition) -> Callable[[str], bool]:
    """Return behave's own matcher as a function, or `fits` if the matcher needs the repository's types."""
    pattern = definition.pattern
    try:
        own = _MATCHERS[definition.matcher](_never_called, pattern).compile()
    except Exception:  # matchers and their libraries raise many errors for a malformed pattern
        if definition.matcher in ("re", "re0"):
            return lambda text: False
        return lambda text: fits(pattern, text)
    return lambda text: own.match(text) is not None


def fits(pattern: str, text: str) -> bool:
    """Return whether `text` has the literal parts of a pattern (``{n} books``) in order.

    Literal parts at the ends of the pattern must be at the ends of the text.
    """
    first, *rest = re.split(r"\{[^}]*\}", pattern)
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first) or not text[len(first) :].endswith(last):
        return False
    left = text[len(first) : len(text) - len(last)]
    for part in middle:
        _, found, left = left.partition(part) if part else ("", "x", left)
        if not found:
            return False
    return True


def then_texts(feature: Feature) -> list[str]:
    """Return the texts of all Then steps; those of outlines with the values of each row."""
    return [text for step, texts in _all_steps(feature) if step.kind == "then" for text in texts]


def _never_called() -> None:
    """Take the place of the step function, because the repository's code is not imported."""
