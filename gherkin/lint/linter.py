"""Find faults in valid scenarios: vague outcomes, several actions, steps that exist in other words.

The rules follow what writers of Gherkin agree on: https://cucumber.io/docs/bdd/better-gherkin/
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from behave.i18n import languages

from gherkin.domain.language import Domain
from gherkin.feature.model import parse
from gherkin.feature.steps import StepDefinition, undefined_steps
from gherkin.feature.strict import NotGherkin, read
from gherkin.values import Frozen

Level = Literal["error", "warning"]
Code = Literal[
    "not-gherkin",
    "no-then",
    "several-whens",
    "vague-outcome",
    "duplicate-name",
    "too-many-scenarios",
    "near-duplicate-step",
    "conjunction-step",
    "ui-words",
    "implementation-words",
    "unused-column",
    "single-row-outline",
    "avoided-term",
    "criterion-without-scenario",
    "scenario-without-criterion",
]

# The meaning of each code, for `docs/lint.md`. Findings of level error are sent back to a model.
RULES: dict[Code, tuple[Level, str]] = {
    "not-gherkin": ("error", "The text is not valid Gherkin, or would run nothing."),
    "no-then": ("error", "A scenario without a Then proves nothing."),
    "several-whens": (
        "error",
        "A scenario with several When steps (not counting And) tests several behaviours.",
    ),
    "vague-outcome": (
        "error",
        "A Then that names no outcome one could check, such as “works correctly” or “the result is correct”.",
    ),
    "duplicate-name": ("error", "Two scenarios of a file have the same name."),
    "too-many-scenarios": ("error", "More scenarios in a file than are read with care."),
    "near-duplicate-step": (
        "error",
        "A step without a definition that says nearly what an existing definition says.",
    ),
    "conjunction-step": ("warning", "A step that does two things, joined by “and”."),
    "ui-words": (
        "warning",
        "Clicks, buttons and fields: say what the user wants, not how the screen is used.",
    ),
    "implementation-words": (
        "warning",
        "Classes, functions, loops, status codes: say what can be observed. Words that the project itself "
        "speaks "
        "of (its domain language, its steps, the feature's head) are fine, such as “SQL” in a parser of SQL.",
    ),
    "unused-column": ("warning", "A column of the examples that no step uses."),
    "single-row-outline": ("warning", "An outline with one row is a scenario."),
    "avoided-term": ("warning", "A word that the repository's domain language replaces by another."),
    "criterion-without-scenario": ("warning", "An acceptance criterion that no scenario speaks of."),
    "scenario-without-criterion": ("warning", "A scenario that none of the acceptance criteria speaks of."),
}

_VAGUE = re.compile(
    r"\b(works?|behaves?|functions?|is (?:handled|processed|done|displayed|shown|updated))\s+"
    r"(?:correctly|properly|as expected|fine|well|successfully)\b"
    r"|\bas expected\b|\b(?:everything|it|all) (?:works|is (?:ok|okay|fine|good|correct))\b"
    r"|\b(?:is|are|looks?|stays?|be) (?:all )?(?:correct|right|ok|okay|fine|good|proper|sane|sensible)\.?$"
    r"|\b(?:should|must) work$|^(?:it )?(?:succeeds|works)$",
    re.IGNORECASE,
)
_UI = re.compile(
    r"\b(clicks?|taps?|double-clicks?|presse?s? the|scrolls?|hovers?|drags?|drop-?down|checkbox|radio button"
    r"|text ?box|input field|submit button|the \w+ button|css|xpath)\b",
    re.IGNORECASE,
)
# Words about code that may also be words of the domain: a parser of SQL has features about SQL.
_CODE = re.compile(
    r"\b(database|sql|table row|json|http (?:status )?\d{3}|status code|endpoint|api call|function|method"
    r"|class|module|exception|null|boolean|stack ?trace|variable|dict(?:ionary)?|instance|callbacks?"
    r"|recursi(?:on|ve|vely)|iterators?)\b",
    re.IGNORECASE,
)
# Identifiers of the code, and descriptions of how the code works.
_INTERNALS = re.compile(
    r"\b\w+\.\w+\(|\b\w+\(\)|\b[a-z]+_[a-z_]+\(|\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b|\b[a-z]{3,}[A-Z][a-z]\w*\b"
    r"|\b(?i:(?:while|for|inner|outer|main)[ -]loops?|the loop (?:pops|pushes|runs|ends|appends|breaks)"
    r"|pops (?!up\b)|iterates? (?:over|through))",
)
_AND = re.compile(
    r"\b(?:and|und)\b\s+(?:then\s+|also\s+)?(?:I|he|she|it|they|the \w+|we|a \w+|an \w+)\s+\w+", re.IGNORECASE
)
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'|“[^”]*”|<[^<>]+>|\b\d[\d.,]*\b')
_PARAMETER = re.compile(r"\{[^{}]*\}")
_WORD = re.compile(r"[^\W_]{3,}")
_STOP = frozenset(
    [
        "the",
        "and",
        "for",
        "with",
        "that",
        "this",
        "from",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "when",
        "then",
        "given",
        "user",
        "users",
        "can",
        "could",
        "should",
        "must",
        "will",
        "would",
        "not",
        "all",
        "any",
        "its",
        "their",
        "there",
        "here",
        "into",
        "onto",
        "than",
        "them",
        "they",
        "you",
        "your",
        "our",
        "out",
        "off",
        "over",
        "under",
    ]
)
_FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "with",
        "containing",
        "contains",
        "holding",
        "holds",
        "having",
        "has",
        "have",
        "including",
        "that",
        "which",
        "who",
        "of",
        "in",
        "on",
        "at",
        "for",
        "to",
        "from",
        "by",
        "my",
        "his",
        "her",
        "their",
        "is",
        "are",
        "was",
        "there",
        "be",
        "i",
    ]
)
_CLOSE = 0.86
_TRACED = 0.4
_MAX_SCENARIOS = 20


class Finding(Frozen):
    """One finding; `line` counts from 1, and 0 means the whole file."""

    code: Code
    level: Level
    line: int
    message: str


def lint(
    text: str,
    *,
    definitions: Sequence[StepDefinition] = (),
    domain: Domain | None = None,
    criteria: Sequence[str] = (),
    max_scenarios: int = _MAX_SCENARIOS,
    words: Sequence[str] = (),
    language: str | None = None,
) -> list[Finding]:
    """Return the findings in a feature file's text, ordered by line.

    `definitions` are the repository's step definitions, `domain` is its domain language, `criteria` are the
    story's acceptance criteria, and `words` are further words of the project. `language` is the code of the
    language of a text that names none; None means English.
    """
    try:
        feature = read(text, language)
    except NotGherkin as error:
        return [_finding("not-gherkin", error.line or 0, f"{error.reason}.")]
    domain = domain or Domain()
    own = _domain_words(feature, definitions, domain, [*criteria, *words])
    found = [
        *_names(feature, max_scenarios),
        *(each for scenario in _scenarios(feature) for each in _scenario(scenario, _whens(feature))),
        *(each for step in _steps(feature) for each in _step(step, domain, own)),
        *_near_duplicates(feature, _undefined(text, definitions, language), definitions),
        *_traces(feature, criteria),
    ]
    return sorted(found, key=lambda each: (each.line, each.code))


def findings_in_words(text: str, findings: Sequence[Finding]) -> tuple[str, ...]:
    """The findings on a feature file's `text`, a line each, with the scenario and the line; none twice."""
    try:
        scenarios = sorted((each.line, each.name) for each in _scenarios(read(text)))
    except NotGherkin:
        scenarios = []
    said = []
    for each in findings:
        name = next((name for line, name in reversed(scenarios) if line <= each.line), "")
        where = f"line {each.line}" + (f", “{name}”" if name and name not in each.message else "")
        said.append(f"{where}: {each.message}" if each.line else each.message)
    return tuple(dict.fromkeys(said))


def _finding(code: Code, line: int, message: str) -> Finding:
    return Finding(code=code, level=RULES[code][0], line=line, message=message)


def _scenarios(feature: Any) -> Iterator[Any]:
    yield from feature.scenarios
    for rule in feature.rules:
        yield from rule.scenarios


def _steps(feature: Any) -> Iterator[Any]:
    for background in (feature.background, *(rule.background for rule in feature.rules)):
        yield from background.steps if background is not None else ()
    for scenario in _scenarios(feature):
        yield from scenario.steps


def _names(feature: Any, most: int) -> Iterator[Finding]:
    first: dict[str, int] = {}
    scenarios = list(_scenarios(feature))
    for scenario in scenarios:
        name = " ".join(scenario.name.lower().split())
        if name in first:
            yield _finding(
                "duplicate-name",
                scenario.line,
                f"“{scenario.name}” is the name of line {first[name]} as well.",
            )
        first.setdefault(name, scenario.line)
    if len(scenarios) > most:
        line = scenarios[most].line
        yield _finding(
            "too-many-scenarios",
            line,
            f"{len(scenarios)} scenarios; more than {most} are not read with care.",
        )


def _whens(feature: Any) -> frozenset[str]:
    """Return the keywords that mean When in the file's language."""
    return frozenset(word.strip().lower() for word in languages[feature.language or "en"]["when"]) - {"*"}


def _scenario(scenario: Any, when_words: frozenset[str]) -> Iterator[Finding]:
    kinds = [step.step_type for step in scenario.steps]
    if "then" not in kinds:
        yield _finding("no-then", scenario.line, f"“{scenario.name}” has no Then: it proves nothing.")
    whens = [step for step in scenario.steps if step.keyword.strip().lower() in when_words]
    for step in whens[1:]:
        yield _finding(
            "several-whens", step.line, f"“{scenario.name}” has another When: make it a scenario of its own."
        )
    tables = [each.table for each in getattr(scenario, "examples", ()) if each.table is not None]
    said = "\n".join([scenario.name, *(_whole(step) for step in scenario.steps)])
    for table in tables:
        for heading in table.headings:
            if f"<{heading}>" not in said:
                yield _finding("unused-column", table.line, f"No step of “{scenario.name}” uses <{heading}>.")
    if tables and sum(len(table.rows) for table in tables) == 1:
        yield _finding(
            "single-row-outline", scenario.line, f"“{scenario.name}” has one row: write it as a scenario."
        )


def _whole(step: Any) -> str:
    cells = [cell for row in (step.table.rows if step.table else ()) for cell in row.cells]
    return "\n".join([step.name, str(step.text or ""), *cells])


def _domain_words(
    feature: Any, definitions: Sequence[StepDefinition], domain: Domain, criteria: Sequence[str]
) -> str:
    """Return the text of the project's own words: terms, steps, criteria, and the feature's head."""
    narrative = [feature.name, *(feature.description or ())]
    terms = [word for term in domain.terms for word in (term.term, term.meaning)]
    return "\n".join([*narrative, *terms, *criteria, *(each.pattern for each in definitions)]).lower()


def _code_word(text: str, words: str) -> str:
    """Return the first word about code in a step's text that is not in `words`; empty if there is none."""
    internal = _INTERNALS.search(text)
    if internal and not re.search(rf"\b{re.escape(internal[0].lower())}", words):
        return internal[0].strip()
    for found in _CODE.finditer(text):
        if not re.search(rf"\b{re.escape(found[0].lower())}", words):
            return found[0]
    return ""


def _step(step: Any, domain: Domain, words: str) -> Iterator[Finding]:
    bare = _QUOTED.sub("…", step.name)
    if step.step_type == "then" and (vague := _VAGUE.search(bare)):
        yield _finding(
            "vague-outcome", step.line, f"“{vague[0]}” can not be checked: say what is seen, with its value."
        )
    if joined := _AND.search(bare):
        yield _finding(
            "conjunction-step", step.line, f"Two things in one step (“{joined[0]}”): make two steps of it."
        )
    if ui := _UI.search(bare):
        yield _finding("ui-words", step.line, f"“{ui[0]}” is about the screen: say what the user wants.")
    if code := _code_word(bare, words):
        yield _finding(
            "implementation-words", step.line, f"“{code}” is about the code: say what can be observed."
        )
    for term in domain.terms:
        for word in term.avoid:
            if re.search(rf"\b{re.escape(word)}s?\b", bare, re.IGNORECASE):
                yield _finding(
                    "avoided-term", step.line, f"The domain language says “{term.term}”, not “{word}”."
                )


def _undefined(
    text: str, definitions: Sequence[StepDefinition], language: str | None
) -> set[tuple[str, str]]:
    """Return (kind, text) of the steps for which behave would find no definition."""
    if not definitions:
        return set()
    return {(step.kind, step.text) for step in undefined_steps(parse(text, "", language), definitions)}


def _near_duplicates(
    feature: Any, undefined: set[tuple[str, str]], definitions: Sequence[StepDefinition]
) -> Iterator[Finding]:
    """Yield findings on steps without a definition that nearly match an existing one."""
    known = [(_shape(each.pattern), each) for each in definitions]
    seen: set[tuple[str, str]] = set()
    for step in _steps(feature):
        if (step.step_type, step.name) not in undefined:
            continue
        shape = _shape(step.name)
        mine = [(other, each) for other, each in known if each.kind in (step.step_type, "step")]
        if (step.step_type, shape) in seen:
            continue
        seen.add((step.step_type, shape))
        scored = [(_likeness(shape, other), each) for other, each in mine]
        best, near = max(scored, key=lambda pair: pair[0], default=(0.0, None))
        if near is not None and best >= _CLOSE:
            yield _finding(
                "near-duplicate-step",
                step.line,
                f"“{step.name}” is nearly “{near.pattern}” ({near.path}:{near.line}): use that step's words.",
            )


def _shape(text: str) -> str:
    """Return the words of a step or pattern without values and parameters."""
    text = _PARAMETER.sub("…", text)
    text = _QUOTED.sub("…", text)
    return " ".join(re.sub(r"[\"'“”]", "", text).lower().split())


def _likeness(shape: str, other: str) -> float:
    """Return the similarity of two shapes from 0 to 1; 1 if they differ only in words without a meaning."""
    words, others = (
        sorted(word[:6] for word in each.split() if word not in _FILLERS) for each in (shape, other)
    )
    return 1.0 if words == others and len(words) > 1 else difflib.SequenceMatcher(None, shape, other).ratio()


def _traces(feature: Any, criteria: Sequence[str]) -> Iterator[Finding]:
    """Yield findings on criteria without a scenario and scenarios without a criterion.

    They belong together if they share enough words, or if the scenario has the tag `@ac-N`.
    """
    if not criteria:
        return
    scenarios = [
        (each, _stems(" ".join([each.name, *(_whole(step) for step in each.steps)])))
        for each in _scenarios(feature)
    ]
    traced: set[int] = set()
    for scenario, words in scenarios:
        tagged = {int(tag[3:]) for tag in map(str, scenario.tags) if re.fullmatch(r"ac-\d{1,3}", tag)}
        mine = {
            number
            for number, text in enumerate(criteria, 1)
            if number in tagged or _speaks_of(words, _stems(text))
        }
        traced |= mine
        if not mine:
            yield _finding(
                "scenario-without-criterion",
                scenario.line,
                f"No acceptance criterion speaks of “{scenario.name}”.",
            )
    for number, text in enumerate(criteria, 1):
        if number not in traced:
            yield _finding(
                "criterion-without-scenario", 0, f"No scenario speaks of criterion {number}: “{text}”."
            )


def _stems(text: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(text)} - _STOP
    return {word[:5] for word in words} | set(re.findall(r"\d+(?:[.,]\d+)?", text))


def _speaks_of(words: set[str], criterion: set[str]) -> bool:
    return bool(criterion) and len(words & criterion) >= _TRACED * len(criterion)
