"""Functions that know the values of the scenarios and compute nothing.

They are found by what they do: the scenarios run with other values before their first Then step. A function
that gives one and the same answer for each value that no scenario names, and the expected one for those that
a scenario names, has learned the scenarios by heart.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gherkin.feature.model import Step, Table, render
from runners.verify.experiments.flip import values
from runners.verify.experiments.scenarios import Single
from runners.verify.suites.records import NotedCall

# With so many other arguments it is no accident that the answer is the same.
_LEAST = 4
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NUMBERS: tuple[Callable[[float], float], ...] = (
    lambda number: number + 1,
    lambda number: number - 1,
    lambda number: number // 2,
    lambda number: number * 3 + 2,
    lambda number: number + 18,
    lambda number: 2,
)
_WORDS: tuple[Callable[[str], str], ...] = (
    lambda word: f"{word}x",
    lambda word: f"z{word}",
    lambda word: word[::-1] + "q",
    lambda word: f"{word[: len(word) // 2]}w",
)
# What a function may give back although it computes nothing.
_NOTHING = frozenset(["None", "0", "0.0", "''", "[]", "()", "{}", "set()", "-1"])
_PLAIN = frozenset(["0", "1", "-1", "0.0", "1.0", ""])


@dataclass(frozen=True)
class KnownAnswers:
    """A function that only knows the values of the scenarios.

    `place` is the number of its site, `seen` the arguments for which it gave an expected value, and `example`
    the first call in words.
    """

    place: str
    seen: tuple[tuple[str, ...], ...]
    example: str


def other_inputs(single: Single) -> list[str]:
    """Return the scenario as whole feature files, each with other values before its first Then step.

    A value that stands there more than once is the same everywhere. There are other words only where there is
    no number.
    """
    scenario = single.scenario
    first = next((place for place, step in enumerate(scenario.steps) if step.kind == "then"), 0)
    given = [value for step in scenario.steps[:first] for value in _named(step)]
    numbers = [value for value in given if _NUMBER.fullmatch(value)]
    changes: list[dict[str, str]] = []
    if numbers:
        changes = [{value: _number(value, change) for value in numbers} for change in _NUMBERS]
    else:
        changes = [{value: change(value) for value in given if value} for change in _WORDS]
    found = []
    for change in changes:
        steps = [_with(step, change) for step in scenario.steps[:first]]
        if steps != list(scenario.steps[:first]):
            changed = scenario.model_copy(update={"steps": (*steps, *scenario.steps[first:])})
            found.append(render(single.having(changed)))
    return list(dict.fromkeys(found))


def _named(step: Step) -> list[str]:
    cells = [cell for row in (step.table.rows if step.table else ()) for cell in row]
    return [*(each.text for each in values(step.text)), *cells]


def _number(value: str, change: Callable[[float], float]) -> str:
    decimals = len(value.partition(".")[2])
    return f"{change(float(value)):.{decimals}f}"


def _with(step: Step, change: dict[str, str]) -> Step:
    text = step.text
    for value in reversed(values(text)):
        text = text[: value.start] + change.get(value.text, value.text) + text[value.end :]
    table = step.table and Table(
        headings=step.table.headings,
        rows=tuple(tuple(change.get(cell, cell) for cell in row) for row in step.table.rows),
    )
    return step.model_copy(update={"text": text, "table": table})


def known_answers(
    own: Iterable[NotedCall],
    others: Iterable[NotedCall],
    given: Collection[str],
    expected: Collection[str],
    literals: Collection[str],
) -> list[KnownAnswers]:
    """Return the functions that only know what the scenarios name.

    `own` are the calls in the scenarios as they are, `others` those with other values before their first Then
    step. `given` and `expected` are the values that the scenarios name before and in their Then steps,
    `literals` those in the lines of the change.
    """
    seen: dict[str, dict[tuple[str, ...], str | None]] = defaultdict(dict)
    for call in own:
        seen[call.place][call.arguments] = call.result
    unseen: dict[str, dict[tuple[str, ...], str | None]] = defaultdict(dict)
    for call in others:
        if call.arguments not in seen[call.place]:
            unseen[call.place][call.arguments] = call.result
    found = []
    for place, calls in seen.items():
        answers = set(unseen[place].values())
        if len(unseen[place]) < _LEAST or len(answers) != 1 or any(map(_is_object, calls)):
            continue
        (other,) = answers
        named = {_plain(result) for result in calls.values() if result and _plain(result) in expected}
        learned = bool(named) and named <= {*literals}
        constant = {*calls.values()} == answers
        # Where the values are numbers, texts are names of files and the like.
        arguments = {_plain(each) for known in calls for each in known}
        telling = {*literals}
        if all(map(_NUMBER.fullmatch, {*arguments, *named})):
            telling = set(filter(_NUMBER.fullmatch, telling))
        by_heart = (other is None or other in _NOTHING) and telling <= _PLAIN.union(given, expected)
        if learned and (constant or by_heart):
            example, result = next(iter(calls.items()))
            found.append(KnownAnswers(place, tuple(calls), f"({', '.join(example)}) is {result}"))
    return found


def _is_object(arguments: Sequence[str]) -> bool:
    """Return whether an argument is written with an address in memory, so that no two are alike."""
    return not arguments or any(" at 0x" in each for each in arguments)


def _plain(result: str) -> str:
    """Return a result as a step names it."""
    try:
        value = ast.literal_eval(result)
    except (ValueError, SyntaxError):
        return result
    return "" if isinstance(value, bool) else str(value)


def literals_of(path: str, source: str, lines: Collection[int]) -> set[str]:
    """Return the numbers and texts in `lines` (from 1) of a file, as steps name them.

    In Python without docstrings and without what errors say.
    """
    if not path.endswith(".py"):
        chosen = [line for number, line in enumerate(source.splitlines(), 1) if number in lines]
        return {value.text for line in chosen for value in values(line)}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return set(_literals(tree, lines))


def _literals(tree: ast.Module, lines: Collection[int]) -> Iterator[str]:
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    said |= {id(part) for node in ast.walk(tree) for part in _messages(node)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=bool()):
                continue
            case ast.Constant(value=int() | float() | str() as value):
                if node.lineno in lines and id(node) not in said:
                    yield str(value)


def _messages(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what an error says."""
    if isinstance(node, ast.Raise):
        yield from ast.walk(node)


def only_for(source: str, line: int, seen: Collection[Sequence[str]]) -> str:
    """Return the source, in which the function around `line` raises an error for all arguments but those
    `seen`.

    Empty where there is no such function.
    """
    tree = ast.parse(source)
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    if not around:
        return ""
    function = max(around, key=lambda node: node.lineno)
    names = [
        each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    ]
    given = ", ".join(f"repr({name})[:200]" for name in names if name not in ("self", "cls"))
    guard = (
        f"if [{given}] not in {[list(each) for each in seen]!r}:\n    raise RuntimeError('broken on purpose')"
    )
    function.body[0:0] = ast.parse(guard).body
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
