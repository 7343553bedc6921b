"""A group whose commands are imported only when they are called, so that `--help` is quick."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import getdoc
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Lazy:
    """One command of a group.

    `target` is ``module:attribute``: the function of a command, or the `typer.Typer` of a group. `help` is
    the first line of its docstring (a test compares them). With `passes_on` unknown options reach the
    function.
    """

    target: str
    help: str
    passes_on: bool = False

    def load(self, name: str) -> Any:
        """Import the target and return it as a command called `name`."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(module), attribute)
        if not gc.isenabled():  # `bot.__main__` has switched it off
            gc.freeze()
            gc.enable()
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        settings = {"allow_extra_args": True, "ignore_unknown_options": True} if self.passes_on else {}
        # A docstring's lines are broken for its source; the terminal breaks them anew.
        single.command(name, context_settings=settings, help=_paragraphs(getdoc(found)))(found)
        return typer.main.get_command(single)


def _paragraphs(text: str | None) -> str:
    """Return a docstring with each paragraph on one line."""
    return "\n\n".join(" ".join(each.split()) for each in (text or "").split("\n\n"))


class LazyCommand(TyperCommand):
    """Stands for a command in lists and help; the real one takes over when its arguments are read."""

    def __init__(self, name: str, lazy: Lazy) -> None:
        super().__init__(name=name, help=lazy.help)
        self.lazy = lazy

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        """Return the real command's context."""
        return self.lazy.load(self.name or "").make_context(info_name, args, *more, **extra)


class LazyGroup(TyperGroup):
    """A group of the commands in `table`, by name; subclasses set it, see `lazy_group`."""

    table: ClassVar[Mapping[str, Lazy]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> LazyCommand | None:
        """Return the command called `cmd_name`, not loaded yet."""
        return LazyCommand(cmd_name, self.table[cmd_name]) if cmd_name in self.table else None


def lazy_group(name: str, purpose: str, commands: Mapping[str, Lazy]) -> typer.Typer:
    """Return the group `name` of `commands`, by the names that users type; `purpose` is its help."""

    class Listed(LazyGroup):
        table = commands

    group = typer.Typer(
        name=name, cls=Listed, help=purpose, no_args_is_help=True, pretty_exceptions_enable=False
    )
    # With a callback, typer treats a group of one command as a group, too.
    group.callback()(lambda: None)
    return group
