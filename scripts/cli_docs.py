"""Writes docs/cli.md: every command with its arguments and options, from the commands themselves."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import typer

from bot.cli.app import app
from bot.cli.lazy import LazyCommand

_HEAD = """# The `scenarist` command

{note}
`scenarist COMMAND --help` says the same. Commands that print data or results have `--json`; with it, notes go to standard error.

| exit status | means |
|---|---|
| 0 | It was done. For `verify`, `run`, `lint`, `spec`, `doctor`, `models check`, `config check`, `setup github`, `demo`, `action`: the answer is yes. |
| 1 | It was done, and the answer is no: not proven, an error found, a check failed, no scenarios, no delivery. |
| 2 | The arguments or settings are wrong. One line says what is wrong, with a code ([errors.md](errors.md)) and what to do. |
| 130 | It was interrupted (Ctrl-C). |

## Completion

    scenarist --install-completion

installs completion of commands and options for the shell at hand (bash, zsh, fish, PowerShell); start a new shell afterwards.
`scenarist --show-completion` prints the script instead, for systems where such files are managed.

## An editor that knows `.scenarist.yml`

`scenarist init` writes the [JSON Schema](scenarist.schema.json) of `.scenarist.yml` to `.scenarist/schema.json`, and this first line, which editors with a YAML
language server read:

    # yaml-language-server: $schema=.scenarist/schema.json

`scenarist config schema > .scenarist/schema.json` writes it without `init`. `scenarist config check` finds the same mistakes in CI.
"""


def cli(note: str) -> str:
    """Return the text of docs/cli.md; `note` says that it is generated."""
    root: Any = typer.main.get_command(app)
    parts = [_HEAD.format(note=note), *(_section(words, command) for words, command in _commands(root, ()))]
    return "\n".join(parts)


def _commands(group: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with its words."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, LazyCommand):
            command = command.lazy.load(name)
        words = (*above, name)
        if hasattr(command, "list_commands"):
            yield from _commands(command, words)
        else:
            yield words, command


def _section(words: tuple[str, ...], command: Any) -> str:
    shown = [each for each in command.params if each.name != "help" and not getattr(each, "hidden", False)]
    usage = " ".join([*words, *(str(each.name).upper() for each in shown if _is_argument(each))])
    lines = [f"## `scenarist {usage}`", "", command.help or "", ""]
    if shown:
        lines += ["| what | default | meaning |", "|---|---|---|"]
        lines += [f"| {_named(each)} | {_default(each)} | {_meaning(each)} |" for each in shown]
        lines.append("")
    return "\n".join(lines)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _named(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"`{str(parameter.name).upper()}`"
    return ", ".join(f"`{each}`" for each in parameter.opts)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    found = parameter.default
    return "" if found in (None, "", False) or callable(found) else f"`{found}`"


def _values(annotation: Any) -> Iterator[str]:
    """Yield the words that an annotation allows, if it lists them."""
    for each in get_args(annotation):
        if isinstance(each, str):
            yield each
        elif get_origin(annotation) is not tuple:
            yield from _values(each)


def _meaning(parameter: Any) -> str:
    choices = [value for value in _values(parameter.type_descriptor.annotation) if value]
    said = getattr(parameter, "help", None) or ""
    if choices:
        said += f" One of {', '.join(f'`{each}`' for each in choices)}."
    if getattr(parameter, "envvar", None):
        said += f" Environment: `{parameter.envvar}`."
    return " ".join(said.replace("|", "\\|").split())
