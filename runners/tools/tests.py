"""The tool that runs the repository's tests, the way the verifier will."""

from pydantic import Field

from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool


class RunTests(Arguments):
    paths: str | None = Field(
        default=None,
        description="Files or folders to test, separated by spaces; leave out to run everything.",
    )


@tool("tests.run", writes=True)
def run_tests(ctx: ToolContext, args: RunTests) -> ToolResult:
    """Run the scenarios and the tests, and show what fails.

    It counts as writing, because tests may leave files behind. `ok` is whether all of them passed.
    """
    paths = (args.paths or "").split()
    if any(path.startswith("-") for path in paths):
        raise Refused("`paths` takes files and folders, no options. For anything else use shell.")
    return ctx.run_tests(" ".join(paths) or None)
