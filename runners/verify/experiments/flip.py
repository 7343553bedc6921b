"""The flip experiment: with another expected value in a Then step, the scenario must fail."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gherkin.feature.model import Step, Table, render
from runners.verify.experiments.scenarios import Single
from runners.verify.values.sides import DATE, OPPOSITES, TIME, sides

_PER_STEP = 3
_PER_SCENARIO = 6
_ARGUMENTS = 2

_QUOTED = re.compile(r""""([^"]*)"|(?<!\w)'([^']*)'(?!\w)|“([^”]*)”|«([^»]*)»|`([^`]*)`""")
_NUMBER = re.compile(r"(?<![\w.,:-])-?\d+(?:[.,:-]\d+)*(?![\w]|[.,:-]\d)")
_WHOLE_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
# A negated step goes on holding with most other values: that it stays green shows nothing.
_NEGATED = re.compile(
    r"\b(?:no|not|never|none|nothing|nobody|without|neither|nor|cannot|\w+n['’]t|unchanged|absent|missing|"
    r"gone|removed|deleted|hidden|invisible|disappear\w*|vanish\w*|excluded|omitted|left out|"
    r"nicht|nichts|kein\w*|nie|niemand|ohne|pas|aucun\w*|jamais|sans|rien|ningun\w*|ningún|nunca|sin|nada|"
    r"não|nenhum\w*|sem|non|nessun\w*|mai|senza|niente)\b",
    re.IGNORECASE,
)
# Steps that hold for a range of values, or within a time.
_TOLERANT = re.compile(
    r"\b(?:about|around|approximately|approx|roughly|nearly|near|close|almost|circa|between|within|"
    r"at (?:least|most)|"
    r"(?:more|less|fewer|larger|greater|smaller|higher|lower|longer|shorter|later|earlier|older|faster) than|"
    r"over|under|above|below|up to|before|after|until|max\w*|min\w*|limit\w*|exceed\w*|"
    r"(?:no|not) (?:more|less|fewer|later|earlier)|or (?:more|less|fewer|better|later|earlier|higher|lower)|"
    r"cap\w*|fit\w*|room for|enough|allow\w*|reach\w*|ceiling|floor|threshold|bound\w*|"
    r"one of|among|part of|can|able|decimals?|digits?|places?|precision|"
    r"m?s|ms|msecs?|secs?|seconds?|minutes?|hours?|days?|milliseconds?|"
    r"etwa|ungefähr|mindestens|höchstens|über|unter|bis|Sekunden?|Minuten?|environ|moins|plus|secondes?|"
    r"menos|más|segundos?)\b|[~<>≤≥±≈]",
    re.IGNORECASE,
)
_ANY_CASE = re.compile(r"\bcase\b|insensitiv|regardless|whatever|\bignor", re.IGNORECASE)
# Steps that speak of an order.
_ORDER = re.compile(
    r"\b(?:order is|in (?:this|that|the|following|exactly this) order|ordered|sorted|sequence|Reihenfolge|"
    r"sortiert)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Flip:
    """One change of what a Then step expects. `step` counts the scenario's own steps from 0.

    The values are changed in `text`, a whole feature file. If the step's text shows no value, the harness
    changes the `argument` (from 0) that its definition takes, or inverts the assertions that the step reaches
    (`inverted`). `reference`: an earlier step has the value, too, so it may only name what the step looks at.
    `more` are files with further values, for a step that compares with a tolerance. `sides` are groups of
    further values for a step that names one exact value: it must notice at least one of each group. `row` is
    the row of a table, from 0; `word` is a word in the step's text that can be replaced by others that its
    definition has. `counts`: the cell is in a last column of numbers, which says what is expected of the rest
    of the row.
    """

    step: int
    text: str
    what: str
    reference: bool = False
    argument: int | None = None
    inverted: bool = False
    more: tuple[str, ...] = ()
    sides: tuple["Side", ...] = ()
    row: int | None = None
    word: str = ""
    counts: bool = False


@dataclass(frozen=True)
class Side:
    """Files with values that all differ from the expected one in the same way, and the name of that way.

    `compared`: that they are not noticed is a finding only if the step's code compares by order or distance.
    """

    texts: tuple[str, ...]
    what: str
    compared: bool = False


@dataclass(frozen=True)
class NamedValue:
    """A value in the text of a step, with its position and kind."""

    start: int
    end: int
    text: str


def flips(single: Single) -> list[Flip]:
    """Return the changes to try on a scenario, at most six; values that no earlier step names come first."""
    known = known_values(single)
    scenario = single.scenario
    steps: list[list[Flip]] = []
    for number, step in enumerate(scenario.steps):
        if step.kind == "then":
            found = sorted(_of_step(single, number, step, known), key=lambda flip: flip.reference)
            steps.append(found[:_PER_STEP])
    # One of each step, then the second of each, and so on.
    ordered = [found[place] for place in range(_PER_STEP + 1) for found in steps if place < len(found)]
    return ordered[:_PER_SCENARIO]


def input_flips(single: Single) -> list[Flip]:
    """Return changes of the numbers in the scenario's own steps before its first Then, at most six."""
    scenario = single.scenario
    found: list[Flip] = []
    for number, step in enumerate(scenario.steps):
        if step.kind == "then":
            break
        for value in values(step.text):
            for other in _others(value.text, ()) if _WHOLE_NUMBER.fullmatch(value.text) else ():
                steps = (
                    *scenario.steps[:number],
                    _with_value(step, value, other),
                    *scenario.steps[number + 1 :],
                )
                text = render(single.having(scenario.model_copy(update={"steps": steps})))
                found.append(Flip(number, text, _what(value.text, other)))
    return found[:_PER_SCENARIO]


def words(step: Step) -> list[str]:
    """Return the values that a step names in its text, in order."""
    return [value.text for value in values(step.text) if value.text]


def negated(step: Step) -> bool:
    """Return whether a step says that something is not so."""
    return bool(_NEGATED.search(_QUOTED.sub("", step.text)))


def tolerant(step: Step) -> bool:
    """Return whether a step may correctly pass for more values than the one that it names."""
    return bool(_TOLERANT.search(_QUOTED.sub("", step.text)))


def _of_step(single: Single, number: int, step: Step, known: Sequence[str]) -> Iterator[Flip]:
    scenario = single.scenario

    def file(changed: Step) -> str:
        steps = (*scenario.steps[:number], changed, *scenario.steps[number + 1 :])
        return render(single.having(scenario.model_copy(update={"steps": steps})))

    exact = not tolerant(step) and not negated(step)

    def flip(value: str, others: Sequence[str], changed: Callable[[str], Step], *more: Step) -> Flip:
        files = [file(changed(other)) for other in others] + [file(version) for version in more]
        named = () if _ANY_CASE.search(step.text) else known
        groups = sides(value, named, ordered=bool(_ORDER.search(step.text))) if exact else []
        found = [
            Side(
                tuple(file(changed(other)) for other in group.values),
                _what(value, group.values[0]),
                group.compared,
            )
            for group in groups
        ]
        what = _what(value, others[0])
        return Flip(number, files[0], what, value in known, more=tuple(files[1:]), sides=tuple(found))

    found = False
    for value in values(step.text):
        found = True
        others = _others(value.text, known, wide=not exact)
        word = value.text if not _WHOLE_NUMBER.fullmatch(value.text) else ""
        yield replace(flip(value.text, others, partial(_with_value, step, value)), word=word)
    for row, column in _cells(step.table):
        found = True
        cell = step.table.rows[row][column] if step.table else ""
        others = _others(cell, known, wide=not exact)
        # Some columns are only there to be read: another one of the row may be what counts.
        other_row = _with_other_row(step, row, known)
        found_flip = flip(cell, others, partial(_with_cell, step, row, column), other_row)
        counts = column > 0 and cell not in known and _is_of_numbers(step.table, column)
        yield replace(found_flip, row=None if other_row == step else row, counts=counts)
    if step.doc_string and (changed := _other_text(step.doc_string)) != step.doc_string:
        found = True
        yield Flip(
            number, file(step.model_copy(update={"doc_string": changed})), "“the text” → “another text”"
        )
    if not found:
        same = render(single.feature)
        for argument in range(_ARGUMENTS):
            yield Flip(number, same, f"argument {argument + 1} of “{step.text[:60]}”", argument=argument)
        yield Flip(number, same, f"the assertions of “{step.text[:60]}”", inverted=True)


def _what(value: str, other: str) -> str:
    return f"“{value[:60]}” → “{other[:60]}”"


def _with_value(step: Step, value: NamedValue, other: str) -> Step:
    text = step.text[: value.start] + other + step.text[value.end :]
    return step.model_copy(update={"text": text})


def known_values(single: Single) -> list[str]:
    """Return the values that the steps before the first Then name, in order."""
    found: list[str] = []
    for step in single.given():
        found += [value.text for value in values(step.text)]
        found += [cell for row in (step.table.rows if step.table else ()) for cell in row if cell]
    return list(dict.fromkeys(found))


def values(text: str) -> list[NamedValue]:
    """Return the quoted words and numbers in the order of the text."""
    found: list[NamedValue] = []
    taken: list[tuple[int, int]] = []
    for match in _QUOTED.finditer(text):
        group = next(number for number in range(1, 6) if match.group(number) is not None)
        taken.append(match.span())
        found.append(NamedValue(match.start(group), match.end(group), match.group(group)))
    for match in _NUMBER.finditer(text):
        if not any(start <= match.start() < end for start, end in taken):
            found.append(NamedValue(match.start(), match.end(), match.group()))
    return sorted(found, key=lambda value: value.start)


def _cells(table: Table | None) -> list[tuple[int, int]]:
    """Return the cells to change: the last one of the first and the last row, and the first one of the
    first row.
    """
    if table is None or not table.rows:
        return []
    last = len(table.headings) - 1
    places = dict.fromkeys([(0, last), (len(table.rows) - 1, last), (0, 0)])
    return [(row, column) for row, column in places if table.rows[row][column]]


def _is_of_numbers(table: Table | None, column: int) -> bool:
    """Return whether a column is the last one of a table and contains only numbers."""
    if table is None or column != len(table.headings) - 1:
        return False
    return all(_WHOLE_NUMBER.fullmatch(row[column]) for row in table.rows)


def _with_cell(step: Step, row: int, column: int, value: str) -> Step:
    table = step.table
    if table is None:
        return step
    rows = [list(cells) for cells in table.rows]
    rows[row][column] = value
    changed = Table(headings=table.headings, rows=tuple(map(tuple, rows)))
    return step.model_copy(update={"table": changed})


def _with_other_row(step: Step, row: int, known: Sequence[str]) -> Step:
    """Return the step with all cells of a row changed that no earlier step names."""
    cells = step.table.rows[row] if step.table else ()
    for column, cell in enumerate(cells):
        if cell and cell not in known:
            step = _with_cell(step, row, column, _others(cell, known)[0])
    return step


def _others(value: str, known: Sequence[str], *, wide: bool = True) -> list[str]:
    """Return other values for `value`, those most likely to be noticed first. `wide`: also numbers that
    are far off.
    """
    if found := DATE.fullmatch(value):
        return [f"{found[1]}-{found[2]}-{_turned(found[3], 28)}"]
    if found := TIME.fullmatch(value):
        return [f"{found[1]}:{_turned(found[2], 59)}{found[3]}"]
    if _WHOLE_NUMBER.fullmatch(value):
        digits = value.lstrip("-")
        whole = re.match(r"\d+", digits)
        first = whole.group() if whole else "0"
        rest, sign = digits[len(first) :], value[: len(value) - len(digits)]
        more = str(int(first) + 1).zfill(len(first))
        if not wide:
            return [sign + more + rest]
        large = f"{int(first) + 7}000"
        # Tolerances and limits ("at least 3", "within 5 seconds") notice a value that is far off on one side.
        return [sign + more + rest, large + rest, f"-{large}{rest}", "0"]
    for one, other in OPPOSITES:
        for known_word, opposite in ((one, other), (other, one)):
            if value.lower() == known_word:
                return [opposite.title() if value.istitle() else opposite]
    alike = [word for word in known if word != value and not _WHOLE_NUMBER.fullmatch(word)]
    return [_other_text(value), *alike[:2]]


def _turned(digits: str, most: int) -> str:
    """Return one more, or one less from `most` on, with as many digits."""
    number = int(digits)
    return str(number - 1 if number >= most else number + 1).zfill(len(digits))


def _other_text(text: str) -> str:
    """Return `text` with another number in its longest line, or with other letters if it has no number."""
    if not text:
        return "x"
    lines = text.split("\n")
    place = max(range(len(lines)), key=lambda number: len(lines[number]))
    line = lines[place]
    numbers = list(_NUMBER.finditer(line))
    if len(lines) > 1 and numbers:
        last = numbers[-1]
        line = line[: last.start()] + _others(last.group(), ())[0] + line[last.end() :]
    else:
        line = re.sub(r"[^\W\d_]", lambda found: "q" if found.group() != "q" else "z", line, count=1) + "x"
    lines[place] = line
    return "\n".join(lines)
