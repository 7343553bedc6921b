"""The command lines that a repository's CI runs, from the files of its usual services.

GitHub Actions has them below `run`, GitLab below `script` and its kin, CircleCI below `command`
(https://docs.github.com/actions/reference/workflow-syntax-for-github-actions,
https://docs.gitlab.com/ci/yaml/, https://circleci.com/docs/configuration-reference/).
"""

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

_FILES = (
    *(".github/workflows/*.y*ml", ".gitlab-ci.y*ml", ".gitlab-ci/*.y*ml", ".gitlab/ci/*.y*ml"),
    *(".circleci/config.yml", ".travis.y*ml", "azure-pipelines*.y*ml", ".cirrus.y*ml", ".woodpecker*.y*ml"),
    *(".woodpecker/*.y*ml", ".drone.y*ml", ".gitea/workflows/*.y*ml", ".forgejo/workflows/*.y*ml"),
    *("bitbucket-pipelines.y*ml", ".pre-commit-config.yaml"),
)
_KEYS = frozenset(
    [
        *("run", "script", "before_script", "after_script", "command", "commands", "entry", "bash"),
        *("test_script", "install", "pipeline"),
    ]
)
# Reading YAML takes about a second a megabyte.
_MOST_BYTES = 100_000
_MOST_FILES = 20


def ci_files(paths: Iterable[str]) -> list[str]:
    """Return those of `paths` that tell a CI service what to run."""
    found = [path for path in paths if any(fnmatch.fnmatchcase(path, each) for each in _FILES)]
    return sorted(found)[:_MOST_FILES]


def ci_lines(content: bytes) -> list[str]:
    """Return the command lines in one such file, each once; none if it cannot be read."""
    if len(content) > _MOST_BYTES:
        return []
    try:
        data = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, ValueError):
        return []
    joined = (text.replace("\\\n", " ") for text in _scripts(data))
    return list(dict.fromkeys(line.strip() for text in joined for line in text.splitlines() if line.strip()))


def _scripts(data: Any) -> Iterator[str]:
    """Yield the texts below the keys of commands; a part that aliases repeat is looked at once."""
    seen: set[int] = set()
    pending: list[tuple[Any, bool]] = [(data, False)]
    while pending:
        value, wanted = pending.pop()
        if isinstance(value, str):
            if wanted:
                yield value
        elif id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, dict):
                pending += [(each, wanted or str(key) in _KEYS) for key, each in value.items()]
            elif isinstance(value, list):
                pending += [(each, wanted) for each in value]
