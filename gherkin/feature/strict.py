"""behave's own parser, made to refuse text that it would accept silently and then not run.

The grammar is that of https://cucumber.io/docs/gherkin/reference/ as behave 1.3 reads it.
"""

import difflib
import itertools
import re
from collections.abc import Iterator
from typing import Any

from behave.i18n import languages
from behave.model import Feature, ScenarioOutline
from behave.parser import Parser, ParserError, State

from gherkin.feature.keywords import language_of, native_name, step_words


class NotGherkin(Exception):
    """The text is not valid: `reason` says what is wrong in `line` (counted from 1; 0: the whole text)."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def read(text: str, language: str | None = None) -> Feature:
    """Return behave's model of a feature file. Raises `NotGherkin`.

    `language` is the code of the language of a text without a ``# language:`` line; None means English.
    """
    parser = _Parser(language)
    try:
        text.encode()
        found = parser.parse(text)
    except UnicodeEncodeError as error:
        raise NotGherkin(
            text.count("\n", 0, error.start) + 1, "this line contains half of a character"
        ) from None
    except ParserError as error:
        _refuse_other_language(text, language)
        raise NotGherkin(error.line or parser.line, _explain(error)) from None
    except KeyError as error:
        raise NotGherkin(parser.line, f"the language {error} is not known") from None
    except (AttributeError, IndexError, TypeError, ValueError, AssertionError):
        # Some malformed files crash the parser.
        raise NotGherkin(parser.line, "this is not Gherkin") from None
    if found is None:
        _refuse_other_language(text, language)
        raise NotGherkin(0, "there is no feature in it")
    if parser.state is State.MULTILINE_TEXT:
        raise NotGherkin(parser.multiline_start, "the doc string that begins here has no end")
    if parser.tags:
        raise NotGherkin(parser.tags[0].line, f"nothing follows the tag @{parser.tags[0]}")
    _refuse_mistyped(text, found)
    _refuse_unrunnable(found)
    return found


class _Parser(Parser):  # type: ignore[misc]
    """Raises an error where behave only logs one, or replaces the first of two tables or doc strings."""

    def action_steps(self, line: str) -> bool:
        text = line.strip()
        steps = self.statement.steps
        if steps and text.startswith(('"""', "'''")) and steps[-1].text is not None:
            raise ParserError("the step has a doc string already", self.line)
        if steps and text.startswith("|") and steps[-1].table is not None:
            raise ParserError("the step has a table already", self.line)
        return bool(super().action_steps(line))

    def action_table(self, line: str) -> bool:
        row = line.strip()
        if self.examples is not None and not row.startswith("|") and self.parse_step(row):
            raise ParserError("a step follows the table of examples: move it before the examples", self.line)
        if row.startswith("|") and not re.search(r".(?<!\\)\|$", row):
            raise ParserError("the table row does not end with a pipe", self.line)
        return bool(super().action_table(line))


def _refuse_other_language(text: str, language: str | None) -> None:
    """Raise `NotGherkin` if the keywords are of another language, which the text does not name."""
    spoken = language_of(text)
    if spoken is not None and spoken != language:
        raise NotGherkin(
            1,
            f"the keywords are {native_name(spoken)}: write “# language: {spoken}” on the first line"
            " (or `lang` in behave.ini, for all features)",
        )


def _explain(error: ParserError) -> str:
    """Return behave's message on one line, without the file and line, which the caller adds."""
    message, _, reason = str(error.args[0]).partition("\nREASON: ")
    if reason and reason != "None":
        said = reason
    elif "Parser failure in state" in message:
        said = f"“{_short(error.line_text or '')}” is not a keyword, step or table row"
    else:
        said = re.sub(r" at line \d+(: .*)?$", "", message.strip().partition("\n")[0])
    return said.rstrip(". ")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


# -- scenarios that would run nothing --------------------------------------------------------------------


def _refuse_unrunnable(found: Feature) -> None:
    scenarios = list(_scenarios(found))
    if not scenarios:
        raise NotGherkin(0, "the feature has no scenario")
    for scenario in scenarios:
        if not scenario.steps:
            raise NotGherkin(scenario.line, f"scenario “{_short(scenario.name)}” has no steps")
        if isinstance(scenario, ScenarioOutline):
            if not scenario.examples:
                raise NotGherkin(scenario.line, f"outline “{_short(scenario.name)}” has no rows of examples")
            for examples in scenario.examples:
                if not examples.table or not examples.table.rows:
                    raise NotGherkin(
                        examples.line, f"these examples of “{_short(scenario.name)}” have no rows"
                    )


def _scenarios(found: Feature) -> Iterator[Any]:
    for part in (found, *found.rules):
        yield from part.scenarios


# -- keywords with a typing mistake, which become description --------------------------------------------

# English words that begin sentences and resemble a step keyword as much as a mistyped one does.
_PROSE = frozenset(
    [
        "even",
        "gives",
        "hen",
        "ten",
        "than",
        "that",
        "the",
        "them",
        "there",
        "these",
        "they",
        "this",
        "thus",
        "whenever",
        "where",
        "while",
        "who",
    ]
)


def _refuse_mistyped(text: str, found: Feature) -> None:
    known = languages[found.language or "en"]
    prose = {line for part in (found, *found.rules) for line in part.description or ()}
    hiding = {line for part in _with_steps(found) for line in part.description or ()}
    numbered = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for (number, line), (_, after) in itertools.pairwise([*numbered, (0, "")]):
        meant = None
        if line in prose or line in hiding:
            meant = _meant_block(line, after, known)
        if meant is None and line in hiding:
            meant = _meant_step(line, known)
        if meant is not None:
            raise NotGherkin(
                number, f"“{_short(line)}” is read as a description: write “{meant}” if that is meant"
            )
        if line in hiding and line.startswith(("|", '"""', "'''")):
            raise NotGherkin(number, f"“{_short(line)}” comes before all steps and is read as a description")


def _with_steps(found: Feature) -> Iterator[Any]:
    """Yield the parts that may have steps: backgrounds and scenarios."""
    for part in (found, *found.rules):
        if part.background is not None:
            yield part.background
        yield from part.scenarios


def _meant_block(line: str, after: str, known: dict[str, Any]) -> str | None:
    """Return the block keyword that a line probably means.

    Such lines are ``Scenari: …``, ``SCENARIO: …``, or ``Scenario …`` directly above a step (`after`).
    """
    names = ("rule", "background", "scenario", "scenario_outline", "examples")
    blocks = {word.casefold(): word for name in names for word in known[name]}
    head, colon, _ = line.partition(":")
    if colon:
        if not head[:1].isalpha() or head.casefold() == "rules":  # common beginnings of prose
            return None
        close = difflib.get_close_matches(head.strip().casefold(), blocks, 1, 0.75)
        return f"{blocks[close[0]]}:" if close else None
    if _first_word(after) not in step_words(known) or line.endswith((".", "!", "?")):
        return None  # a sentence is a description, whatever its first word
    return next((f"{word}:" for low, word in blocks.items() if line.casefold().startswith(f"{low} ")), None)


def _meant_step(line: str, known: dict[str, Any]) -> str | None:
    """Return the step keyword that a line probably means: ``Givn …``, ``Given: …``, or a single keyword."""
    first = _first_word(line)
    words = step_words(known)
    if first in words:
        return words[first]
    if " " not in line or first in _PROSE:
        return None
    # `_PROSE` is English, so other languages need more similarity ("Denn" does not mean "Dann").
    close = difflib.get_close_matches(first, words, 1, 0.75 if known["name"] == "English" else 0.8)
    return words[close[0]] if close else None


def _first_word(line: str) -> str:
    return line.partition(" ")[0].rstrip(":,").casefold()
