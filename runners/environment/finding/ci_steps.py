"""Find what a repository's CI installs before its tests, and what it tells other agents about its set-up."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from runners.environment.finding.parts import Part, SetupCommand
from runners.environment.finding.sources import Sources, table
from runners.environment.finding.test_runners import pip_words

_TESTS = re.compile(
    r"(?:^|[\s;&|(/])(?:pytest|py\.test|tox|nox|unittest|behave|coverage run|hatch (?:run|test)|pdm "
    r"(?:run|test)|poetry run|"
    r"uv run|manage\.py test|make (?:test|check|ci)\S*|npm (?:test|t|run test)|yarn test|go test|cargo "
    r"test|ctest|runtests)\b",
    re.M,
)
_PIP = re.compile(r"^(?:\S*python[\d.]*\s+-m\s+)?(?:uv\s+)?pip[\d.]*\s+install\s+(.*)$")
# Of the other lines only those are run that prepare something in the checkout.
_PREPARES = re.compile(
    r"^(?:make|bash|sh|\./|invoke|just|task|python[\d.]*\s+(?:setup\.py|scripts?/|tools?/|\S+\.py)|npm "
    r"(?:ci|install|run)|cp)\b|^\./"
)
_MAX_STEPS = 12
# Variables that say something of the CI itself, or where its databases are: they are elsewhere here.
_NOT_FOR_TESTS = re.compile(
    r"(PIP|UV|TOX|NOX|POETRY|PDM|HATCH|GITHUB|GH|GIT|CODECOV|COVERAGE|CACHE|DOCKER|AWS|TWINE|CIBW|PRE_COMMIT|SKIP|"
    r"POSTGRES|PG|MYSQL|REDIS|DB|DATABASE|MONGO|RABBITMQ|AMQP)_?.*|"
    r"CI|HOME|PATH|USER|SHELL|TERM|DISPLAY|TMP|TEMP|TMPDIR|VIRTUAL_ENV|(RUNNER|CONDA|MAMBA|LD)_.*|.*COLOR.*|PYTHONPATH|PYTHONHASHSEED|PYTEST_ADDOPTS|.*TOKEN.*|.*_VERSION",
    re.I,
)
_ELSEWHERE = re.compile(r"\$|\w://(?!/)|localhost|127\.0\.0\.1|/home/|[A-Z]:\\")


def ci_steps(sources: Sources) -> tuple[list[Part], list[SetupCommand]]:
    """Return what the CI jobs that run tests install before them, and the other commands that they run
    first.
    """
    lines: list[tuple[str, str]] = []
    for path in sorted(sources.paths):
        if re.fullmatch(r"\.github/workflows/[^/]+\.ya?ml", path):
            lines += [
                (path, line)
                for line in _github(_yaml(sources.glance(path)), everything="setup-steps" in path)
            ]
    lines += [(".gitlab-ci.yml", line) for line in _gitlab(_yaml(sources.glance(".gitlab-ci.yml")))]
    return _sorted(lines)


def ci_variables(sources: Sources) -> dict[str, str]:
    """Return the variables that the CI sets for its first job with tests, where they are literals.

    Those for databases and for the CI's own tools are left out.
    """
    for path in sorted(sources.paths):
        if re.fullmatch(r"\.github/workflows/[^/]+\.ya?ml", path):
            workflow = _yaml(sources.glance(path))
            for job in table(workflow, "jobs").values():
                steps = table(job).get("steps")
                listed = steps if isinstance(steps, list) else []
                tests = [step for step in listed if _TESTS.search(str(table(step).get("run", "")))]
                if tests:
                    said = [table(part).get("env") for part in (workflow, job, tests[0])]
                    return {name: value for each in said for name, value in _literals(each).items()}
    pipeline = _yaml(sources.glance(".gitlab-ci.yml"))
    for job in table(pipeline).values():
        script = table(job).get("script")
        lines = script if isinstance(script, list) else [script]
        if any(_TESTS.search(str(line)) for line in lines):
            said = [table(part).get("variables") for part in (pipeline, job)]
            return {name: value for each in said for name, value in _literals(each).items()}
    return {}


def _literals(variables: Any) -> dict[str, str]:
    said = table(variables).items()
    texts = [
        (str(name), str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in said
        if isinstance(value, str | int | float)
    ]
    return {
        name: value
        for name, value in texts
        if not _NOT_FOR_TESTS.fullmatch(name) and not _ELSEWHERE.search(value)
    }


def agent_steps(sources: Sources) -> tuple[list[Part], list[SetupCommand]]:
    """Return the set-up that is written for other agents: development containers, Cursor, and AGENTS.md."""
    lines: list[tuple[str, str]] = []
    for path in (".devcontainer/devcontainer.json", ".devcontainer.json"):
        data = _json(sources.glance(path))
        for key in ("onCreateCommand", "updateContentCommand", "postCreateCommand"):
            lines += [(path, line) for line in _commands(data.get(key))]
    path = ".cursor/environment.json"
    lines += [(path, line) for line in _commands(_json(sources.glance(path)).get("install"))]
    for path in ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", "CONTRIBUTING.rst", "README.md"):
        lines += [
            (path, line)
            for line in _documented(sources.glance(path))
            if path == "AGENTS.md" or _PIP.match(line)
        ]
    return _sorted(lines)


def _sorted(lines: Iterable[tuple[str, str]]) -> tuple[list[Part], list[SetupCommand]]:
    """Return shell lines (with the file of each) as parts if they call pip, otherwise as commands."""
    parts: dict[tuple[str, ...], Part] = {}
    steps: dict[str, SetupCommand] = {}
    for source, line in lines:
        if "${{" in line or "sudo" in line or "apt" in line.split() or "$(" in line:
            continue
        if match := _PIP.match(line):
            try:
                words = tuple(pip_words(shlex.split(match[1], comments=True)))
            except ValueError:
                continue
            if words:
                parts.setdefault(words, Part(source=source, words=words))
        elif _PREPARES.match(line) and not _TESTS.search(line):
            steps.setdefault(line, SetupCommand(source=source, line=line))
    return list(parts.values())[:_MAX_STEPS], list(steps.values())[:_MAX_STEPS]


def _github(workflow: Any, *, everything: bool) -> Iterator[str]:
    jobs = workflow.get("jobs") if isinstance(workflow, dict) else None
    for job in jobs.values() if isinstance(jobs, dict) else ():
        steps = job.get("steps") if isinstance(job, dict) else None
        runs = [
            step["run"] for step in steps or () if isinstance(step, dict) and isinstance(step.get("run"), str)
        ]
        lines = [line for run in runs for line in _lines(run)]
        at = next((index for index, line in enumerate(lines) if _TESTS.search(line)), None)
        if at is not None or everything:
            yield from lines[:at]


def _gitlab(pipeline: Any) -> Iterator[str]:
    if not isinstance(pipeline, dict):
        return
    common = [line for line in pipeline.get("before_script") or () if isinstance(line, str)]
    for job in pipeline.values():
        script = job.get("script") if isinstance(job, dict) else None
        own = job.get("before_script", common) if isinstance(job, dict) else ()
        listed = [
            *(own if isinstance(own, list) else [own]),
            *(script if isinstance(script, list) else [script]),
        ]
        lines = [line for text in listed if isinstance(text, str) for line in _lines(text)]
        at = next((index for index, line in enumerate(lines) if _TESTS.search(line)), None)
        if at is not None:
            yield from lines[:at]


def _lines(text: str) -> list[str]:
    """Return the commands of a script, with continued lines joined and ``&&`` split."""
    joined = text.replace("\\\n", " ")
    pieces = [piece.strip() for line in joined.splitlines() for piece in line.split("&&")]
    return [piece for piece in pieces if piece and not piece.startswith("#")]


def _commands(value: Any) -> list[str]:
    """Return the commands in a value of devcontainer.json: a line, a list of words, or a table of these."""
    if isinstance(value, str):
        return _lines(value)
    if isinstance(value, list):
        return [shlex.join(str(word) for word in value)]
    return [line for each in value.values() for line in _commands(each)] if isinstance(value, dict) else []


_HEADING = re.compile(r"^#{1,6}\s+(.*)$|^(\S.*)\n[=~^-]{3,}$", re.M)
_SET_UP = re.compile(r"set.?up|install|develop|test|contribut|getting started|environment|build", re.I)
_SHELL = re.compile(
    r"^\s*(?:\$ )?((?:\S*python[\d.]*\s+-m\s+)?(?:uv\s+)?pip[\d.]*\s+install\s.*|make\s+\S+|\./\S+.*)$", re.M
)


def _documented(text: str) -> list[str]:
    """Return the commands in the sections of a document that are about the set-up."""
    marks = [(match.start(), match[1] or match[2] or "") for match in _HEADING.finditer(text)]
    found = []
    for index, (start, title) in enumerate(marks):
        if _SET_UP.search(title):
            end = marks[index + 1][0] if index + 1 < len(marks) else len(text)
            found += [match[1].strip().strip("`") for match in _SHELL.finditer(text[start:end])]
    return found


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _json(text: str) -> dict[str, Any]:
    """Return the content of a JSON file with comments; nothing if it cannot be read."""
    plain = re.sub(r"(?:^|(?<=[\s,{\[]))//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])", "", text, flags=re.M | re.S)
    try:
        data = json.loads(plain)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
