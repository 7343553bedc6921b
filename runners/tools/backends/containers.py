"""Containers for a model, through docker's or podman's command line. They have their run's label and are
removed with it.

Nothing is pulled, and nothing has a network. A container gets only the workspace of the host, if that is
asked for; no privileges; and limits on memory, processes and time. The words of the command line are made
here; a model only gives names, which are checked, and the words after the image's name.
"""

import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from runners.policy.refused import Refused
from runners.sandbox.bubblewrap import WORKSPACE, Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.process import Capture, CommandResult, Running

_LABEL = "scenarist.run"
BUILT = "built/"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,60}")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/-]{0,150}(?::[A-Za-z0-9_.-]{1,60})?(?:@sha256:[0-9a-f]{64})?")
_CONTEXT_MB = 500
# Without them an engine finds neither its own storage nor its server.
_PASSED = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "DOCKER_HOST",
    "CONTAINER_HOST",
    "LANG",
)


class Containers:
    """The containers and images of one run.

    `engine` is the command with its global options. `read_only` are files of the workspace (path inside -> on
    the host) that a container must not change. All of the run's containers are removed at the beginning and
    at the end.
    """

    def __init__(
        self,
        engine: Sequence[str],
        run_id: str,
        sandbox: Sandbox,
        limits: CommandLimits,
        read_only: Mapping[str, Path],
    ) -> None:
        self._engine = tuple(engine)
        self._run = run_id.lower()
        self._sandbox = sandbox
        self._limits = limits
        self._read_only = dict(read_only)
        self._numbers = itertools.count(1)

    def build(self, folder: str, name: str) -> CommandResult:
        """Build the image `built/NAME` from a folder of the workspace with a Dockerfile. Raises `Refused`."""
        if not _NAME.fullmatch(name):
            raise Refused("The image's name may hold small letters, digits, `.`, `-` and `_`.")
        with self._context(folder) as context:
            file = next(
                (context / each for each in ("Dockerfile", "Containerfile") if _is_file(context / each)), None
            )
            if file is None:
                raise Refused(f"There is no Dockerfile in `{folder}`.")
            _check_dockerfile(file.read_text(errors="replace"))
            for ignored in (".dockerignore", ".containerignore"):
                if (context / ignored).is_symlink():
                    raise Refused(f"`{ignored}` is a link. Make it a file.")
            bounds = [f"--memory={self._limits.memory_mb}m", *self._ulimits]
            bounds += ["--cap-drop=all"] if self._podman else []
            return self._call(
                "build", "--network=none", "--pull=never" if self._podman else "--pull=false", *bounds,
                "--label", f"{_LABEL}={self._run}", "--tag", self._image(BUILT + name),
                "--file", str(file), str(context),
            )  # fmt: skip

    def run(self, image: str, command: Sequence[str], *, workspace: bool) -> CommandResult:
        """Run `command` in a new container to its end. Raises `Refused`."""
        return self._started(image, command, workspace, "--rm")[1]

    def start(self, image: str, command: Sequence[str], *, workspace: bool) -> tuple[str, CommandResult]:
        """Run `command` in a new container in the background; returns the container's name.

        Raises `Refused`.
        """
        return self._started(image, command, workspace, "--detach")

    def _started(
        self, image: str, command: Sequence[str], workspace: bool, how: str
    ) -> tuple[str, CommandResult]:
        name = f"scenarist-{self._run}-{next(self._numbers)}"
        words = ["--pull=never", "--name", name, "--label", f"{_LABEL}={self._run}", *self._confined()]
        words += self._mounts() if workspace else []
        return name, self._call("run", how, *words, self._image(image), *command)

    def _confined(self) -> list[str]:
        owner = self._sandbox.workspace.stat()
        return [
            "--network=none", "--cap-drop=all", "--security-opt=no-new-privileges", "--read-only",
            "--tmpfs=/tmp",
            f"--memory={self._limits.memory_mb}m", f"--pids-limit={self._limits.processes}",
            *self._ulimits,
            f"--user={owner.st_uid}:{owner.st_gid}",
        ]  # fmt: skip

    def _mounts(self) -> list[str]:
        words = [f"--volume={self._sandbox.workspace}:{WORKSPACE}", f"--workdir={WORKSPACE}"]
        return [*words, *(f"--volume={host}:{inside}:ro" for inside, host in self._read_only.items())]

    def execute(self, name: str, command: Sequence[str]) -> CommandResult:
        """Run `command` in one of the run's containers. Raises `Refused`."""
        return self._call("exec", self._own(name), *command)

    def names(self) -> list[str]:
        """Return the names of the run's containers, also of those that have ended."""
        found = self._listed("ps", "--all", "--format", "{{.Names}}")
        return [name for name in found if name.startswith(f"scenarist-{self._run}-")]

    def overview(self) -> CommandResult:
        """Return the run's containers with their images and states, one line each."""
        form = "{{.Names}}  {{.Image}}  {{.Status}}"
        return self._call("ps", "--all", "--filter", f"label={_LABEL}={self._run}", "--format", form)

    def logs(self, name: str) -> CommandResult:
        """Return what one of the run's containers has printed. Raises `Refused`."""
        return self._call("logs", self._own(name))

    def stop(self, name: str) -> CommandResult:
        """Stop one of the run's containers. Raises `Refused`."""
        return self._call("stop", "--time", "2", self._own(name))

    def remove(self, name: str) -> CommandResult:
        """Remove one of the run's containers, stopped or not. Raises `Refused`."""
        return self._call("rm", "--force", self._own(name))

    def _own(self, name: str) -> str:
        names = self.names()
        if name not in names:
            raise Refused(
                f"There is no container `{name[:80]}` of this run. There are: {', '.join(names) or 'none'}."
            )
        return name

    def _image(self, image: str) -> str:
        if not _IMAGE.fullmatch(image):
            raise Refused("This is not the name of an image. Give one such as `python:3.12` or `built/NAME`.")
        return (
            f"localhost/scenarist-{self._run}:{image.removeprefix(BUILT)}"
            if image.startswith(BUILT)
            else image
        )

    @property
    def _podman(self) -> bool:
        return Path(self._engine[0]).name == "podman"

    @property
    def _ulimits(self) -> list[str]:
        """Without these podman asks for limits of its own, which an engine that may not raise limits cannot
        set."""
        files, processes = self._limits.open_files, self._limits.processes
        return [f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={processes}:{processes}"]

    @contextlib.contextmanager
    def _context(self, folder: str) -> Iterator[Path]:
        """Return a copy of a folder of the workspace, made inside the sandbox, so that no link in it leads
        out meanwhile.
        """
        with tempfile.TemporaryDirectory(prefix="scenarist-build-") as made:
            copy = Path(made) / "context"
            copy.mkdir(mode=0o777)
            box = Sandbox(
                self._sandbox.workspace,
                writable={"/context": copy},
                workspace_read_only=True,
                limits=self._limits.model_copy(update={"disk_mb": self._limits.disk_mb + _CONTEXT_MB}),
                unsafe=self._sandbox.unsafe,
            )
            source, target = box.path(f"{WORKSPACE}/{folder}"), box.path("/context")
            done = box.run(["cp", "--archive", "--no-target-directory", "--", source, target])
            if done.exit_code != 0:
                raise Refused(f"`{folder}` cannot be copied: {done.output.strip()[-300:]}")
            yield copy

    def _listed(self, *words: str) -> list[str]:
        done = self._call(*words[:1], "--filter", f"label={_LABEL}={self._run}", *words[1:])
        return (
            [line.strip() for line in done.output.splitlines() if line.strip()] if done.exit_code == 0 else []
        )

    def _call(self, *words: str) -> CommandResult:
        return call_engine(self._engine, words, self._limits)

    def close(self) -> None:
        """Remove the run's containers and images."""
        names = self.names()
        if names:
            self._call("rm", "--force", *names)
        images = self._listed("images", "--all", "--quiet")
        if images:
            self._call("rmi", "--force", *dict.fromkeys(images))

    def __enter__(self) -> Self:
        self.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def call_engine(engine: Sequence[str], words: Sequence[str], limits: CommandLimits) -> CommandResult:
    """Call the container engine; its whole process group ends in time.

    Raises `Refused` when it is not there.
    """
    program = shutil.which(engine[0])
    if program is None:
        raise Refused(f"`{engine[0]}` is not installed on this machine.")
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    with Running([program, *engine[1:], *words], cwd="/", env=environment) as running:
        return running.wait(limits.wall_s, Capture(limits.output_bytes), None)


def sweep(engine: Sequence[str], live: Collection[str], limits: CommandLimits) -> list[str]:
    """Remove the containers of runs that are not among `live`, which killed processes left.

    Returns their names.
    """
    labels = f'{{{{.Label "{_LABEL}"}}}}' if Path(engine[0]).name == "docker" else "{{.Labels}}"
    form = f"{{{{.Names}}}} {labels}"
    listed = call_engine(engine, ("ps", "--all", "--filter", f"label={_LABEL}", "--format", form), limits)
    known = {run.lower() for run in live}
    left = []
    for line in listed.output.splitlines() if listed.exit_code == 0 else ():
        name, _, labels = line.strip().partition(" ")
        found = re.search(rf"(?:{re.escape(_LABEL)}[:=])?([0-9a-z]{{26}})\b", labels)
        if found and found[1] not in known:
            left.append(name)
    if left:
        call_engine(engine, ("rm", "--force", *left), limits)
    return left


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _check_dockerfile(text: str) -> None:
    """Refuse what would make the engine itself fetch something: ADD takes addresses, and a directive names
    another parser.
    """
    if re.search(r"^\s*#\s*(?:syntax|escape|check)\s*=", text, re.IGNORECASE | re.MULTILINE):
        raise Refused("Directives such as `# syntax=` are not allowed in a Dockerfile here. Remove them.")
    joined = re.sub(r"\\[ \t]*\r?\n", "", text)
    if re.search(r"^\s*(?:ONBUILD\s+)*ADD\b", joined, re.IGNORECASE | re.MULTILINE):
        raise Refused("ADD is not allowed in a Dockerfile here. Use COPY.")
