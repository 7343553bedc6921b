"""Scenarios about something outside of the repository's product: its CI, secrets, the machine, the bot.

An issue that a stranger wrote can ask for such things, and a locked scenario would make them the task. So
people are asked to approve these scenarios first, whatever `.scenarist.yml` says of approvals.
"""

import re
from collections.abc import Sequence

from gherkin.feature.model import Feature, render
from runners.policy.globs import is_protected

_TOPICS = (
    (
        re.compile(
            r"\b(?:repositor(?:y|ies)|github|gitlab|ci|actions?|organi[sz]ation|pipeline|deploy(?:ment)?)(?:'s|’s)?"
            r"\s+(?:secrets?|tokens?|credentials?)\b|\bsecrets\.[A-Z_]+|\b(?:GITHUB|GITLAB|GH|CI_JOB|NPM|PYPI)_TOKEN\b",
            re.I,
        ),
        "secrets of the CI",
    ),
    (
        re.compile(
            r"\b(?:github\s+actions?|gitlab\s+ci|ci|jenkins)\s+(?:workflows?|pipelines?|jobs?|configuration)\b|"
            r"\bworkflow\s+files?\b|\bbranch\s+protection\b|\bgit\s+hooks?\b",
            re.I,
        ),
        "the CI or git hooks",
    ),
    (
        re.compile(
            r"/proc/\S*environ|(?:~|/root|/home/\w+)/\.(?:ssh|aws|netrc|config)\b|/etc/(?:passwd|shadow|sudoers)|"
            r"\b(?:print|show|log|send|upload|post)\w*\s+(?:all\s+|the\s+|its\s+)*environment(?:\s+variables?)?\b",
            re.I,
        ),
        "the machine that runs it",
    ),
    (
        re.compile(
            r"\b(?:coding\s+agents?|the\s+bot|the\s+verifier)(?:'s|’s)?\s+(?:instructions|prompts?|tools|permissions|"
            r"configuration|token|settings|verdict)\b|\bscenarist\b",
            re.I,
        ),
        "the bot itself",
    ),
)
_PATH = re.compile(r"(?<![\w/.-])\.?[\w-][\w./-]*")


def outside(feature: Feature, protected: Sequence[str], opened: Sequence[str], repo: str) -> list[str]:
    """Return what a feature asks for that is no part of the product of `repo`, in words; nothing where all
    is.

    `protected` are globs of files that no change may touch but those in `opened`.
    """
    text = render(feature).replace("@", " ")
    own = repo.rpartition("/")[2].lower()
    found = [
        what
        for pattern, what in _TOPICS
        if any(match[0].lower() not in own for match in pattern.finditer(text))
    ]
    paths = {path.rstrip(".") for path in _PATH.findall(text)}
    found += [
        f"`{path}`"
        for path in sorted(paths)
        if is_protected(path, protected) and not is_protected(path, opened)
    ]
    return found


def question(found: Sequence[str]) -> str:
    """Return what people are asked about scenarios that reach outside."""
    return (
        f"These scenarios are about what is no part of the repository's product: {', '.join(found)}. "
        "Look whether the issue is what it says it is. Approve them only if you want exactly that; files "
        "that are protected cannot be changed in any case."
    )
