"""Run the linter on strangers' text in a process of its own, because a regular expression may never end."""

import json
import subprocess
import sys
from collections.abc import Sequence

from pydantic import TypeAdapter

from gherkin.domain.language import Domain
from gherkin.feature.steps import StepDefinition
from gherkin.lint.findings import Finding
from gherkin.lint.linter import lint
from gherkin.values import Frozen

_SECONDS = 60.0
_FINDINGS = TypeAdapter(list[Finding])


class Known(Frozen):
    """The linter's input besides the feature's text; see `gherkin.lint.linter.lint`."""

    definitions: tuple[StepDefinition, ...] = ()
    domain: Domain = Domain()
    criteria: tuple[str, ...] = ()
    max_scenarios: int
    words: tuple[str, ...] = ()
    language: str | None = None


def lint_within(text: str, known: Known, seconds: float = _SECONDS) -> list[Finding]:
    """Return the linter's findings.

    If it takes longer than `seconds`, only those that need no step definitions are returned.
    """
    if not known.definitions:
        return _lint(text, known)
    request = json.dumps({"text": text, "known": known.model_dump(mode="json")})
    command = [sys.executable, "-m", "runners.phases.linting"]
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, text=True, timeout=seconds, check=True
        )
    except subprocess.TimeoutExpired:
        return _lint(text, known.model_copy(update={"definitions": ()}))
    return _FINDINGS.validate_json(done.stdout)


def _lint(text: str, known: Known) -> list[Finding]:
    return lint(
        text,
        definitions=known.definitions,
        domain=known.domain,
        criteria=known.criteria,
        max_scenarios=known.max_scenarios,
        words=known.words,
        language=known.language,
    )


def _main(given: str) -> str:
    request = json.loads(given)
    found: Sequence[Finding] = _lint(request["text"], Known.model_validate(request["known"]))
    return _FINDINGS.dump_json(list(found)).decode()


if __name__ == "__main__":
    sys.stdout.write(_main(sys.stdin.read()))
