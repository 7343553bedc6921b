"""What the linter can find: the codes with their levels and meanings, and one finding."""

from typing import Literal

from gherkin.values import Frozen

Level = Literal["error", "warning"]
LintCode = Literal[
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
RULES: dict[LintCode, tuple[Level, str]] = {
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
    "criterion-without-scenario": ("warning", "An acceptance criterion that no scenario covers."),
    "scenario-without-criterion": ("warning", "A scenario that belongs to none of the acceptance criteria."),
}


class Finding(Frozen):
    """One finding; `line` counts from 1, and 0 means the whole file."""

    code: LintCode
    level: Level
    line: int
    message: str


def finding(code: LintCode, line: int, message: str) -> Finding:
    return Finding(code=code, level=RULES[code][0], line=line, message=message)
