"""Tools that run the repository's tests."""

from pydantic import Field

from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool
from runners.tools.test_runs import DetectedRunner, Project, Testing, diff_coverage, run_command


class RunTests(Arguments):
    paths: str | None = Field(
        default=None,
        description="Files or folders, separated by spaces: `tests/test_cart.py`. Leave out to run all.",
    )


@tool("tests.run", writes=True)
def run_tests(ctx: ToolContext, args: RunTests) -> ToolResult:
    """Run the scenarios (behave) and the tests (pytest) as the verifier does. Returns counts and the
    failures. Tests that fail without your change too do not count against you.

    It counts as writing, because tests may leave files behind. `ok` is whether all of them passed, apart
    from those that fail without your change too.
    """
    paths = (args.paths or "").split()
    if any(path.startswith("-") for path in paths):
        raise Refused("`paths` takes files and folders, not options. For anything else, use shell.")
    return ctx.run_tests(" ".join(paths) or None)


class RerunFailed(Arguments):
    pass


@tool("tests.run", writes=True)
def rerun_failed(ctx: ToolContext, args: RerunFailed) -> ToolResult:
    """Run again only the tests and scenarios that failed in the last run."""
    return ctx.resource(Testing).rerun()


class DetectTests(Arguments):
    pass


@tool("files.read", writes=False)
def detect_tests(ctx: ToolContext, args: DetectTests) -> ToolResult:
    """List the test runners and checks of this repository, with their names and commands."""
    found = ctx.resource(Project).runners(ctx)
    lines = [f"{each.name}: `{each.command}` (seen in {each.found_in})" for each in found]
    data = {"runners": [each.name for each in found]}
    return ToolResult(ok=True, text="\n".join(lines) or "No test runner was found.", data=data)


class RunCheck(Arguments):
    name: str = Field(description="A name from detect_tests, for example `npm` or `command 1`.")


@tool("tests.run", writes=True)
def run_check(ctx: ToolContext, args: RunCheck) -> ToolResult:
    """Run one of the checks that detect_tests lists (npm, go, cargo, make, the repository's commands).
    Returns the exit code and the output.
    """
    found = ctx.resource(Project).runners(ctx)
    chosen: DetectedRunner | None = next((each for each in found if each.name == args.name), None)
    if chosen is None:
        raise Refused(
            f"There is no check `{args.name}`. The checks are: {', '.join(r.name for r in found) or 'none'}."
        )
    if chosen.name in ("behave", "pytest"):
        raise Refused("Use run_tests for behave and pytest.")
    return run_command(ctx, chosen)


class DiffCoverage(Arguments):
    pass


@tool("tests.run", writes=True)
def coverage_of_diff(ctx: ToolContext, args: DiffCoverage) -> ToolResult:
    """List the lines you added that no test and no scenario runs."""
    return diff_coverage(ctx, ctx.resource(Project).features)
