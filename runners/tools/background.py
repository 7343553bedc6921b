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
        min_length=1,
        max_length=50_000,
        description="A bash command line, for example `python -m http.server 8000`.",
    )
    wait_s: float = Field(
        default=1, ge=0, le=_MAX_WAIT_S, description="Seconds to wait for its first output (0 to 30)."
    )


@tool("shell.run", writes=True)
def start_command(ctx: ToolContext, args: StartCommand) -> ToolResult:
    """Start a command that goes on running, such as a server. Returns its number and its first output.
    `shell` can connect to it on 127.0.0.1. It is stopped when your work ends.
    """
    background = ctx.resource(BackgroundCommands)
    number = background.start(args.command)
    output, ended = background.poll(number, args.wait_s)
    return _told(number, output, ended)


class PollCommand(Arguments):
    number: int = Field(description="The number that start_command returned.")
    wait_s: float = Field(
        default=0, ge=0, le=_MAX_WAIT_S, description="Seconds to wait for it to end (0 to 30)."
    )


@tool("shell.run", writes=False)
def poll_command(ctx: ToolContext, args: PollCommand) -> ToolResult:
    """Show the output of a background command so far, and whether it is still running. Returns its exit code
    if it has ended.
    """
    output, ended = _known(lambda: ctx.resource(BackgroundCommands).poll(args.number, args.wait_s))
    return _told(args.number, output, ended)


class StopCommand(Arguments):
    number: int = Field(description="The number that start_command returned.")


@tool("shell.run", writes=True)
def stop_command(ctx: ToolContext, args: StopCommand) -> ToolResult:
    """Stop a background command and all processes that it started. Returns its output."""
    output = _known(lambda: ctx.resource(BackgroundCommands).stop(args.number))
    return ToolResult(ok=True, text=f"Command {args.number} was stopped.\n{output}".rstrip())


def _told(number: int, output: str, ended: CommandResult | None) -> ToolResult:
    if ended is None:
        state, ok, code = "is running", True, None
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
