"""The phase that looks at a repository that is new to the bot: what its tests need, and their results.

A model is asked for set-up commands if the repository's files are not enough to run its tests. It is asked
for nothing else, because nobody has requested anything yet.
"""

import time
from collections.abc import Sequence

import yaml

from gherkin.errors import ScenaristError
from runners.contract.events import BaseSuite, RunnerEvent, Surveyed
from runners.contract.job import CONFIGURATION, Job, PhaseResult, RunSettings
from runners.environment.finding.interpreters import NoFittingPython
from runners.environment.install import EnvironmentBroken
from runners.environment.made import Environment
from runners.loop.services import Services
from runners.phases.baseline import told
from runners.phases.given.readying import Found, made_ready

_SHOWN_FAILURES = 5


def survey(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Make the environment of the base commit, run its suites, and write a `.scenarist.yml` that fits.

    It is a result, too, that the tests cannot be run: the configuration then says what is missing.
    """
    began = time.monotonic()
    found = Found()
    trouble: ScenaristError | None = None
    try:
        found = made_ready(job, services)
        found.demand()
    except (EnvironmentBroken, NoFittingPython) as error:
        trouble = error
    suites = tuple(told(name, run) for name, run in found.runs.items() if run.outcomes or run.broken)
    said = seen(found, suites)
    missing = _one_line(f"{trouble.code}: {trouble.message}") if trouble else ""
    surveyed = Surveyed(
        base=job.base,
        seconds=round(time.monotonic() - began, 1),
        suites=suites,
        seen=tuple(said),
        problem=trouble.message if trouble else "",
        code=trouble.code if trouble else "",
    )
    settings = with_setup(job.settings, found.setup)
    text = configuration(settings, found.environment, [*said, *([missing] if missing else [])])
    return PhaseResult("done", events=[*found.replies, surveyed], artifacts={CONFIGURATION: text.encode()})


def with_setup(settings: RunSettings, setup: Sequence[str]) -> RunSettings:
    """Return the settings with the commands that a model gave, if there are any."""
    return settings.model_copy(update={"setup": tuple(setup)}) if setup else settings


def seen(found: Found, suites: Sequence[BaseSuite]) -> list[str]:
    """Return what was found in a repository, for people: one sentence for each line."""
    lines = []
    environment = found.environment
    if environment.python is not None:
        lines.append(f"Python {'.'.join(map(str, environment.python.version))}.")
    lines += [f"Note: {_one_line(note)}" for note in environment.notes]
    if found.setup:
        lines.append("Note: a model wrote the set-up commands, because tests lacked modules.")
    if found.asked:
        lines.append(f"Note: {_one_line(found.asked)}")
    if found.readiness.ready and not any(suite.counts.total for suite in suites):
        lines.append("Note: no test was found. Say how they are run (the key “tests”), if there are some.")
    for suite in suites:
        lines.append(f"{suite.name}: {_result(suite)}.")
        lines += [f"  fails already: {_one_line(test)}" for test in suite.failing[:_SHOWN_FAILURES]]
    return lines


def configuration(settings: RunSettings, environment: Environment, said: Sequence[str]) -> str:
    """Return the text of a `.scenarist.yml` that works, with the findings (`said`, a line each) as comments.

    Keys for which nothing was found are comments, with an example.
    """
    lines = [
        "# How Scenarist works on this repository. Every key has a default: docs/config.md of Scenarist.",
        "version: 1",
        "",
    ]
    lines += [f"# {line}" for line in said]
    lines.append("")
    lines += _key(
        "setup",
        list(settings.setup),
        "commands that install the dependencies, in place of what is found",
        ["pip install -e '.[test]'"],
    )
    lines += _key(
        "env",
        dict(settings.env),
        "variables for tests and other commands",
        {"DJANGO_SETTINGS_MODULE": "shop.settings"},
    )
    lines += _key(
        "services", list(environment.services), "started for each run of a suite", ["postgres", "redis"]
    )
    lines += _key(
        "tests",
        [each if isinstance(each, str) else each.model_dump() for each in settings.tests],
        "pytest, unless said here",
        ["pytest"],
    )
    lines += _key(
        "behave", settings.behave, "where `python -m behave` is not enough", "python manage.py behave"
    )
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Return a text that cannot end the comment that it is in."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:300]


def _key(name: str, value: object, about: str, example: object) -> list[str]:
    """Return a key with its value, or as a comment with an example."""
    shown = value or example
    # A mapping of one plain value would be written in braces.
    style = False if isinstance(shown, str) else None
    text = yaml.safe_dump({name: shown}, default_flow_style=style, sort_keys=False, width=1000).rstrip()
    return [
        f"# {about}",
        *(text if value else "\n".join(f"# {line}" for line in text.splitlines())).splitlines(),
    ]


def _result(suite: BaseSuite) -> str:
    if suite.problem:
        return f"could not be run ({_one_line(suite.problem).rstrip('.')})"
    counts, noun = suite.counts, "scenarios" if suite.name == "behave" else "tests"
    if not counts.total:
        return f"no {noun}"
    return (
        f"{counts.total} {noun}, {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped in "
        f"{suite.seconds:.0f} s"
    )
