"""The tool that runs a command line in the sandbox."""

import re

from pydantic import Field

from runners.tools.base import Arguments, ToolContext, ToolResult, tool

_MAX_TIMEOUT_S = 600
_NO_REPOSITORY = re.compile(r"^fatal: (?:not a git repository|invalid gitfile format)", re.MULTILINE)


class Shell(Arguments):
    command: str = Field(
        min_length=1,
        max_length=50_000,
        description="A bash command line, for example `ls -l && python app.py`.",
    )
    timeout_s: int = Field(
        default=60,
        ge=1,
        le=_MAX_TIMEOUT_S,
        description="Seconds after which the command is stopped (1 to 600).",
    )


@tool("shell.run", writes=True)
def shell(ctx: ToolContext, args: Shell) -> ToolResult:
    """Run a bash command line in the workspace. Returns the exit code and the output. There is no network,
    and background processes end with the command. To read, change or find files and for git, use the
    other tools.

    `ok` is whether it exited with 0.
    """
    allowed = ctx.sandbox.limits.wall_s
    limits = ctx.sandbox.limits.model_copy(update={"wall_s": min(args.timeout_s, allowed)})
    done = ctx.sandbox.run(["bash", "-c", args.command], limits=limits, cancel=ctx.cancel)
    if done.cancelled:
        end = "It was stopped because the run was cancelled."
    elif done.disk_full:
        end = f"It was stopped because the workspace takes {done.disk_mb:,.0f} MiB"
        end += f" in {done.disk_files:,} files. Delete what is not needed."
    elif done.timed_out:
        end = (
            f"It was stopped after {limits.wall_s:g} s. Use a larger timeout_s (at most {allowed:g}) or "
            "do less."
        )
    elif done.memory_full:
        end = f"It was stopped because it took more than {limits.memory_mb:,} MiB of memory."
    else:
        end = f"Exit code {done.exit_code}."
    if _NO_REPOSITORY.search(done.output):
        end += " Commands cannot reach the .git directory. Use the tools git_status, git_diff and git_log."
    data = done.model_dump(exclude={"output"})
    return ToolResult(ok=done.exit_code == 0, text=f"{end}\n{done.output}".rstrip(), data=data)
