"""Tools that build and run containers, if the operator has an engine and the repository grants it."""

from pydantic import Field

from runners.sandbox.process import CommandResult
from runners.tools.backends.containers import Containers
from runners.tools.base import Arguments, ToolContext, ToolResult, tool
from runners.tools.files.paths import normalise


class DockerBuild(Arguments):
    folder: str = Field(
        default=".", description="Folder that holds the Dockerfile, relative to the workspace."
    )
    name: str = Field(description="Name for the image; run it as `built/NAME`.")


@tool("docker.build", writes=True)
def docker_build(ctx: ToolContext, args: DockerBuild) -> ToolResult:
    """Build an image from a folder of the workspace. The build has no network, and its base image must be a
    local one. Returns the exit code and the output.
    """
    return _told(ctx.resource(Containers).build(normalise(args.folder), args.name))


def _image(args: "DockerRun") -> str:
    return args.image


class DockerRun(Arguments):
    image: str = Field(description="A local image, or `built/NAME` for one that docker_build made.")
    command: list[str] = Field(
        default=[], max_length=500, description='The command and its arguments, for example `["ls", "-l"]`.'
    )
    workspace: bool = Field(default=False, description="Whether the workspace is mounted at /workspace.")
    background: bool = Field(
        default=False, description="Whether to return at once, while the container runs."
    )


@tool("docker.run", writes=True, resource=_image)
def docker_run(ctx: ToolContext, args: DockerRun) -> ToolResult:
    """Run a command in a new container without network. Returns the exit code and the output, or with
    `background` the container's name. The container is removed when your work ends.
    """
    containers = ctx.resource(Containers)
    if not args.background:
        return _told(containers.run(args.image, args.command, workspace=args.workspace))
    name, done = containers.start(args.image, args.command, workspace=args.workspace)
    if done.exit_code != 0:
        return _told(done)
    return ToolResult(ok=True, text=f"The container `{name}` is running.", data={"name": name})


class DockerExec(Arguments):
    name: str = Field(description="Name of a container that docker_run returned.")
    command: list[str] = Field(
        min_length=1, max_length=500, description='The command and its arguments, for example `["ls", "-l"]`.'
    )


@tool("docker.run", writes=True)
def docker_exec(ctx: ToolContext, args: DockerExec) -> ToolResult:
    """Run a command in a container that runs in the background. Returns the exit code and the output."""
    return _told(ctx.resource(Containers).execute(args.name, args.command))


class DockerPs(Arguments):
    pass


@tool("docker.run", writes=False)
def docker_ps(ctx: ToolContext, args: DockerPs) -> ToolResult:
    """List the containers that you started, with their images and states."""
    return _told(ctx.resource(Containers).overview())


class Named(Arguments):
    name: str = Field(description="Name of a container that docker_run returned.")


@tool("docker.run", writes=False)
def docker_logs(ctx: ToolContext, args: Named) -> ToolResult:
    """Show the output of a container."""
    return _told(ctx.resource(Containers).logs(args.name))


@tool("docker.run", writes=True)
def docker_stop(ctx: ToolContext, args: Named) -> ToolResult:
    """Stop a container. Its output can still be read with docker_logs."""
    return _told(ctx.resource(Containers).stop(args.name))


@tool("docker.run", writes=True)
def docker_remove(ctx: ToolContext, args: Named) -> ToolResult:
    """Remove a container. If it is running, it is stopped first."""
    return _told(ctx.resource(Containers).remove(args.name))


def _told(done: CommandResult) -> ToolResult:
    end = "It was stopped because it took too long." if done.timed_out else f"Exit code {done.exit_code}."
    data = done.model_dump(exclude={"output"})
    return ToolResult(ok=done.exit_code == 0, text=f"{end}\n{done.output}".rstrip(), data=data)
