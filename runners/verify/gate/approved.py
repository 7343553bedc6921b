"""Check that the scenarios that ran are the approved ones, by their places and the words of their steps."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from behave.parser import ParserError, parse_feature

from runners.verify.verdict import Problem


def unlike(
    content: bytes, path: str, lines: Mapping[str, int], texts: Mapping[str, tuple[str, ...]]
) -> list[Problem]:
    """Return a problem for each approved scenario that did not run as the approved feature states it.

    `content` is the approved file. `lines` and `texts` are what a run reports: the line and the steps of each
    scenario by its name.
    """
    try:
        feature = parse_feature(content.decode(), filename=path)
    except (ParserError, UnicodeDecodeError):  # in a language that only the repository's configuration names
        return []
    wanted = [(each.line, tuple(map(_text, each.all_steps)), each.name) for each in feature.walk_scenarios()]
    ran = Counter((lines[name], steps) for name, steps in texts.items())
    found = []
    for line, steps, name in wanted:
        if not ran[line, steps]:
            message = (
                f"“{name}” (line {line}) did not run as it was approved: something dropped or changed it "
                "while the "
                "tests were loaded. Leave features and the test runner alone."
            )
            found.append(Problem(code="scenario-not-run", message=message))
    return found


def _text(step: Any) -> str:
    """Return a step in the form in which `inside/scenarist_behave.py` reports it."""
    table = step.table
    rows = [list(table.headings), *(list(row.cells) for row in table.rows)] if table else []
    return "\n".join(
        [f"{step.keyword} {step.name}", *([str(step.text)] if step.text else []), *map(str, rows)]
    )
