"""Ask a model for the commands of the set-up, if a repository's own files were not enough."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from runners.contract.events import ModelReplied
from runners.environment.finding.sources import Sources
from runners.environment.install import EnvironmentBroken
from runners.environment.readiness import Readiness
from runners.loop.prompting import set_up_prompt
from runners.loop.services import Services
from runners.models.chat import Message, Reply
from runners.models.json_answers import read_json

TRIES = 3
_MOST = 12
_MAX_FILE = 6000
_SHOWN = re.compile(
    r"(?:README|CONTRIBUTING|AGENTS|INSTALL|HACKING)[^/]*|\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.yml|Makefile|justfile|tox\.ini|"
    r"noxfile\.py|pyproject\.toml|setup\.(?:py|cfg)|[^/]*requirements[^/]*\.txt|(?:requirements|tests)/[^/]*\.txt|"
    r"Dockerfile|(?:docker-)?compose\.ya?ml|environment\.ya?ml",
    re.I,
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"commands": {"type": "array", "items": {"type": "string"}, "maxItems": _MOST}},
    "required": ["commands"],
    "additionalProperties": False,
}


def ask_for_setup(
    run_id: str,
    services: Services,
    sources: Sources,
    readiness: Readiness,
    attempt: Callable[[tuple[str, ...]], Readiness],
) -> tuple[tuple[str, ...], list[ModelReplied]]:
    """Ask the model of the role `driver` for commands until the environment is ready, at most three
    times.

    `attempt` makes an environment with these commands in the set-up sandbox, runs the base's suites in it and
    says whether it is ready; it may raise `EnvironmentBroken`. Returns the commands that worked (none if
    nothing did), and the replies for the run's log. Raises what `ChatModel.reply` raises.
    """
    messages = set_up_prompt(run_id, _files(sources), readiness.cause)
    replies: list[ModelReplied] = []
    for _ in range(TRIES):
        answer = services.ask("driver", "setup", messages, schema=SCHEMA)
        replies.append(answer)
        commands = _commands(answer.reply)
        if not commands:
            said = "The answer holds no commands. Answer with the JSON object that was asked for."
        else:
            try:
                readiness = attempt(commands)
                if readiness.ready:
                    return commands, replies
                said = f"The commands ran, but the tests still cannot be run: {readiness.cause}."
            except EnvironmentBroken as error:
                said = error.message
        messages = [
            *messages,
            Message(role="assistant", text=answer.reply.text),
            Message(role="user", text=said),
        ]
    return (), replies


def _commands(reply: Reply) -> tuple[str, ...]:
    """Return the commands in a reply; none if it cannot be read."""
    try:
        given = read_json(reply)["commands"]
    except (ValueError, KeyError, TypeError):
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str):
        return ()
    return tuple(each.strip() for each in given[:_MOST] if isinstance(each, str) and each.strip())


def _files(sources: Sources) -> list[tuple[str, str]]:
    """Return the files that people read to set a project up, for the model."""
    paths = sorted((path for path in sources.paths if _SHOWN.fullmatch(path)), key=len)
    return [(path, sources.glance(path)[:_MAX_FILE]) for path in paths[:_MOST]]
