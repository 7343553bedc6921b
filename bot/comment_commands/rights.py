"""Who may give which command: the defaults, and what a repository's `.scenarist.yml` says instead. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import StringConstraints

from bot.comment_commands.parser import COMMAND_NAMES, CommandName

# From the least to the most: each right has those before it.
_LEVELS = ("read", "write", "maintain", "admin")
_TEAM = "team:"
Who = Annotated[
    str, StringConstraints(pattern=r"^(read|write|maintain|admin|author|team:[\w.-]+(/[\w.-]+)*)$")
]
Rules = Mapping[CommandName, Sequence[str]]

# The author of an issue may ask how it stands; all else is for those with write access.
DEFAULT_RULES: Rules = {
    name: ("write", "author") if name in ("help", "status") else ("write",) for name in COMMAND_NAMES
}


def is_allowed(
    command: CommandName,
    rules: Rules,
    *,
    permission: str,
    is_author: Callable[[], bool],
    in_team: Callable[[str], bool],
) -> bool:
    """Return whether somebody with `permission` on the repository may give a command.

    `rules` take the place of the defaults, command by command. `is_author` and `in_team` are asked only when
    nothing else gives the right.
    """
    wanted = rules.get(command, DEFAULT_RULES[command])
    least = [_LEVELS.index(each) for each in wanted if each in _LEVELS]
    if least and permission in _LEVELS and _LEVELS.index(permission) >= min(least):
        return True
    if "author" in wanted and is_author():
        return True
    teams = [each.removeprefix(_TEAM) for each in wanted if each.startswith(_TEAM)]
    return any(in_team(team) for team in teams)


def needed(command: CommandName, rules: Rules) -> str:
    """Return who may give a command, in words."""
    words = {
        "read": "everybody who can read the repository",
        "author": "the author of the issue",
    }
    wanted = rules.get(command, DEFAULT_RULES[command])
    named = [
        words.get(each)
        or (
            f"the team {each.removeprefix(_TEAM)}" if each.startswith(_TEAM) else f"people with {each} access"
        )
        for each in wanted
    ]
    return " or ".join(named) or "nobody"
