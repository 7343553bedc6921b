"""Tools that build and run containers, if the operator has an engine and the repository grants it."""

from pydantic import Field

from runners.sandbox.process import CommandResult
from runners.tools.backends.containers import Containers
from runners.tools.base import Arguments, ToolContext, ToolResult, tool
from runners.tools.files.paths import normalise


class DockerBuild(Arguments):
    folder: str = Field(default=".", description="Folder with a Dockerfile, relative to the workspace.")
    name: str = Field(description="Name of the image: it is then `built/NAME`.")


@tool("docker.build", writes=True)
def docker_build(ctx: ToolContext, args: DockerBuild) -> ToolResult:
    """Build an image from a folder of the workspace.

    There is no network, and only local images to build on.
    """
    return _told(ctx.resource(Containers).build(normalise(args.folder), args.name))


def _image(args: "DockerRun") -> str:
    return args.image


class DockerRun(Arguments):
    image: str = Field(description="A local image, or `built/NAME`.")
    command: list[str] = Field(default=[], max_length=500, description="The command and its arguments.")
    workspace: bool = Field(default=False, description="Whether it gets the workspace at /workspace.")
    background: bool = Field(default=False, description="Whether it goes on running; its name is answered.")


@tool("docker.run", writes=True, resource=_image)
def docker_run(ctx: ToolContext, args: DockerRun) -> ToolResult:
    """Run a command in a new container without network. It is removed when the work ends at the latest."""
    containers = ctx.resource(Containers)
    if not args.background:
        return _told(containers.run(args.image, args.command, workspace=args.workspace))
    name, done = containers.start(args.image, args.command, workspace=args.workspace)
    if done.exit_code != 0:
        return _told(done)
    return ToolResult(ok=True, text=f"It runs as `{name}`.", data={"name": name})


class DockerExec(Arguments):
    name: str = Field(description="Name of a container of this run.")
    command: list[str] = Field(min_length=1, max_length=500, description="The command and its arguments.")


@tool("docker.run", writes=True)
def docker_exec(ctx: ToolContext, args: DockerExec) -> ToolResult:
    """Run a command in a container that runs in the background."""
    return _told(ctx.resource(Containers).execute(args.name, args.command))


class DockerPs(Arguments):
    pass


@tool("docker.run", writes=False)
def docker_ps(ctx: ToolContext, args: DockerPs) -> ToolResult:
    """List the containers of this run with their images and states."""
    return _told(ctx.resource(Containers).overview())


class Named(Arguments):
    name: str = Field(description="Name of a container of this run.")


@tool("docker.run", writes=False)
def docker_logs(ctx: ToolContext, args: Named) -> ToolResult:
    """Show what a container has printed."""
    return _told(ctx.resource(Containers).logs(args.name))


@tool("docker.run", writes=True)
def docker_stop(ctx: ToolContext, args: Named) -> ToolResult:
    """Stop a container."""
    return _told(ctx.resource(Containers).stop(args.name))


@tool("docker.run", writes=True)
def docker_remove(ctx: ToolContext, args: Named) -> ToolResult:
    """Remove a container, whether it runs or not."""
    return _told(ctx.resource(Containers).remove(args.name))


def _told(done: CommandResult) -> ToolResult:
    end = "It was stopped because it took too long." if done.timed_out else f"Exit code {done.exit_code}."
    data = done.model_dump(exclude={"output"})
    return ToolResult(ok=done.exit_code == 0, text=f"{end}\n{done.output}".rstrip(), data=data)
