"""Tools for commands that run in the background, such as a server under test."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import Field

from runners.sandbox.process import CommandResult
from runners.tools.backends.processes import BackgroundCommands, NoSuchCommand
from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool

_MAX_WAIT_S = 30
T = TypeVar("T")


class StartCommand(Arguments):
    command: str = Field(
        min_length=1, max_length=50_000, description="A bash command line, such as a server's."
    )
    wait_s: float = Field(
        default=1, ge=0, le=_MAX_WAIT_S, description="Seconds to wait for its first output."
    )


@tool("shell.run", writes=True)
def start_command(ctx: ToolContext, args: StartCommand) -> ToolResult:
    """Start a command in the background, and get its number.

    `shell` reaches what it serves on 127.0.0.1. It ends with the work at the latest.
    """
    background = ctx.resource(BackgroundCommands)
    number = background.start(args.command)
    output, ended = background.poll(number, args.wait_s)
    return _told(number, output, ended)


class PollCommand(Arguments):
    number: int = Field(description="Number of the background command.")
    wait_s: float = Field(default=0, ge=0, le=_MAX_WAIT_S, description="Seconds to wait for its end.")


@tool("shell.run", writes=False)
def poll_command(ctx: ToolContext, args: PollCommand) -> ToolResult:
    """Show what a background command has printed so far, and whether it still runs."""
    output, ended = _known(lambda: ctx.resource(BackgroundCommands).poll(args.number, args.wait_s))
    return _told(args.number, output, ended)


class StopCommand(Arguments):
    number: int = Field(description="Number of the background command.")


@tool("shell.run", writes=True)
def stop_command(ctx: ToolContext, args: StopCommand) -> ToolResult:
    """Stop a background command and everything it started, and show what it has printed."""
    output = _known(lambda: ctx.resource(BackgroundCommands).stop(args.number))
    return ToolResult(ok=True, text=f"Command {args.number} is stopped.\n{output}".rstrip())


def _told(number: int, output: str, ended: CommandResult | None) -> ToolResult:
    if ended is None:
        state, ok, code = "runs", True, None
    else:
        ok, code = ended.exit_code == 0, ended.exit_code
        state = "was stopped" if code is None else f"ended with exit code {code}"
    data = {"number": number, "running": ended is None, "exit_code": code}
    return ToolResult(ok=ok, text=f"Command {number} {state}.\n{output}".rstrip(), data=data)


def _known(call: Callable[[], T]) -> T:
    try:
        return call()
    except NoSuchCommand as error:
        raise Refused(str(error)) from None
