"""Run commands in bubblewrap. Commands that a model chose and a repository's code run here and nowhere else.

A sandbox shows the workspace, a read-only toolchain and an empty home. It has no network and no secrets. The
options are those of bwrap(1), https://github.com/containers/bubblewrap.
"""

import contextlib
import copy
import json
import os
import posixpath
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path

from gherkin.errors import ScenaristError
from runners.sandbox import seccomp
from runners.sandbox.availability import available, bwrap, bwrap_help
from runners.sandbox.cgroups import Group, control_group
from runners.sandbox.limits import CommandLimits, limit_process, prlimit_words
from runners.sandbox.mounts import system_mounts, toolchain
from runners.sandbox.process import Capture, CommandResult, Running, Streams
from runners.sandbox.watch import DiskWatch, MemoryWatch

WORKSPACE = "/workspace"
HOME = "/home/agent"

_USERS = "root:x:0:0:root:/:/usr/sbin/nologin\nagent:x:1000:1000:agent:/home/agent:/bin/bash\n"
_GROUPS = "root:x:0:\nagent:x:1000:\n"
_HOSTS = "127.0.0.1 localhost sandbox\n::1 localhost\n"


class SandboxMissing(ScenaristError):
    """There is no working sandbox on this machine."""

    code = "SCN-3001"
    next_step = "Install Debian's or Ubuntu's package `bubblewrap` and allow user namespaces on this machine."


class SandboxFailed(ScenaristError):
    """The sandbox could not be set up around a command."""

    code = "SCN-3002"
    next_step = "Check that the folders the run needs exist on the runner, then retry the run."


class Sandbox:
    """One workspace, and what else of the host its commands can see.

    `workspace` is mounted at `/workspace`, read-write unless `workspace_read_only`; its `.git` is hidden and
    cannot be replaced. `read_only` and `writable` map a path inside to a path on the host; the ones below
    `/workspace` must not lead through a link. `env` is added to the fixed environment. With `network`,
    commands use the host's network. `ended` is called with the result of each command.

    With `unsafe` there is no sandbox: a command is a plain process with the same limits, a cleared
    environment and the host's file system. That is meant for machines that are deleted afterwards. Raises
    `SandboxMissing` when the sandbox does not work on this machine and `unsafe` is not set.
    """

    def __init__(
        self,
        workspace: Path,
        *,
        read_only: Mapping[str, Path] | None = None,
        writable: Mapping[str, Path] | None = None,
        env: Mapping[str, str] | None = None,
        network: bool = False,
        limits: CommandLimits | None = None,
        workspace_read_only: bool = False,
        unsafe: bool = False,
        ended: Callable[[CommandResult], None] | None = None,
    ) -> None:
        self.workspace = workspace.resolve()
        self.read_only = dict(read_only or {})
        self.writable = dict(writable or {})
        self.env = dict(env or {})
        self.network = network
        self.limits = limits or CommandLimits()
        self.workspace_read_only = workspace_read_only
        self.unsafe = unsafe
        self._ended = ended
        # Words before bwrap that join a network namespace which several commands share (`background.py`).
        self.enter: tuple[str, ...] = ()
        # Words before each command, inside the sandbox: a program that starts the services a command needs.
        self.launcher: tuple[str, ...] = ()
        # Called before each command. If it returns a result, the command does not run and has this result.
        self.before: Callable[[], CommandResult | None] | None = None
        if not unsafe and (reason := available()):
            raise SandboxMissing(f"Commands cannot be run safely here: {reason}.")

    def showing(self, read_only: Mapping[str, Path]) -> "Sandbox":
        """Return a copy of this sandbox with more read-only mounts (path inside -> path on the host)."""
        other = copy.copy(self)
        other.read_only = {**self.read_only, **read_only}
        return other

    def path(self, inside: str) -> str:
        """Return where commands find the path `inside`: the same path, or its host path when `unsafe`."""
        if not self.unsafe:
            return inside
        mounts = {WORKSPACE: self.workspace, **self.read_only, **self.writable}
        for mount in sorted(mounts, key=len, reverse=True):
            if inside == mount or inside.startswith(mount.rstrip("/") + "/"):
                return str(mounts[mount]) + inside[len(mount.rstrip("/")) :]
        return inside

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        limits: CommandLimits | None = None,
        cancel: threading.Event | None = None,
        capture: Capture | None = None,
        streams: Streams = Streams(),  # noqa: B008 - it is immutable
    ) -> CommandResult:
        """Run `argv` and wait for it; when this returns, every process it started has ended.

        `cwd` is relative to the workspace, or an absolute path inside. `limits` replaces the sandbox's own.
        Setting `cancel` stops the command. Output is written to `capture`, if given, while the command runs.
        `streams` connects standard input and standard error.

        A missing command gives exit code 127. Raises `SandboxFailed` when the sandbox cannot be set up, for
        example because `cwd` does not exist.
        """
        result = self._run(argv, cwd, env or {}, limits or self.limits, cancel, capture, streams)
        if self._ended is not None:
            self._ended(result)
        return result

    def _run(
        self,
        argv: Sequence[str],
        cwd: str,
        env: Mapping[str, str],
        limits: CommandLimits,
        cancel: threading.Event | None,
        capture: Capture | None,
        streams: Streams,
    ) -> CommandResult:
        if cancel is not None and cancel.is_set():
            return CommandResult(exit_code=None, output="", cancelled=True)
        if self.before is not None and (failed := self.before()) is not None:
            return failed
        argv = [*self.launcher, *argv]
        environment = _environment({**self.env, **env})
        directory = posixpath.normpath(posixpath.join(WORKSPACE, cwd))
        kept = capture or Capture(limits.output_bytes)
        disk = DiskWatch([self.workspace, *self.writable.values()], limits.disk_mb, limits.files)
        with contextlib.ExitStack() as stack:
            group = stack.enter_context(control_group(limits.processes, limits.memory_mb))
            memory = None if group.bounds_memory else MemoryWatch(limits.memory_mb)
            try:
                if self.unsafe:
                    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="scenarist-"))
                    plain = Running(
                        [*group.words, *prlimit_words(limits), *argv],
                        cwd=self.path(directory),
                        env=environment | {"HOME": home},
                        streams=streams,
                    )
                    running = stack.enter_context(plain)
                    return running.wait(limits.wall_s, kept, cancel, disk)
                options = _Options(stack)
                self._options(options, environment, directory, limits)
                words = [*self.enter, bwrap()]
                watched = (kept, cancel, disk, memory)
                return _run_bwrap(words, options, argv, limits, group, watched, streams)
            except OSError as error:
                raise SandboxFailed(f"The command could not be started: {error}.") from None
            except ValueError:
                raise SandboxFailed("The command holds a character that no command line can hold.") from None

    def _options(
        self, args: "_Options", environment: Mapping[str, str], directory: str, limits: CommandLimits
    ) -> None:
        """Add the options of bwrap to `args`. bwrap mounts in the order of its options."""
        sized = ("--size", str(limits.file_mb << 20)) if "--size" in bwrap_help(bwrap()) else ()
        tmpfs = (*sized, "--perms")
        # Each namespace is named, because `--unshare-all` only tries to make the user namespace.
        args.add("--unshare-user", "--uid", "1000", "--gid", "1000", "--unshare-pid", "--unshare-ipc")
        args.add("--unshare-uts", "--hostname", "sandbox", "--unshare-cgroup-try")
        args.add("--die-with-parent", "--new-session")
        args.add(*(() if self.network or self.enter else ("--unshare-net",)))
        args.add(*(("--disable-userns",) if "--disable-userns" in bwrap_help(bwrap()) else ()))
        for name, value in environment.items():
            args.add("--setenv", name, value)
        # If root starts this worker, uid 1000 inside is the host's root, which may write to /proc/sys.
        args.add("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev")
        args.add(*tmpfs, "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev")  # noqa: S108
        args.add(*tmpfs, "1777", "--tmpfs", "/tmp", *tmpfs, "0700", "--tmpfs", HOME)  # noqa: S108
        args.add(*system_mounts(network=self.network))
        args.add_file("/etc/passwd", _USERS)
        args.add_file("/etc/group", _GROUPS)
        args.add_file("/etc/hosts", Path("/etc/hosts").read_text() if self.network else _HOSTS)
        for prefix in toolchain():
            args.add("--ro-bind", prefix, prefix)
        args.add("--ro-bind" if self.workspace_read_only else "--bind", str(self.workspace), WORKSPACE)
        for folder in self._above_read_only():
            args.add("--bind", str(self.workspace / folder), f"{WORKSPACE}/{folder}")
        for option, mounts in (("--ro-bind", self.read_only), ("--bind", self.writable)):
            for inside, host in mounts.items():
                self._refuse_links(inside)
                args.add(option, str(host), inside)
        self._hide_git(args)
        args.add("--remount-ro", "/", "--chdir", directory)

    def _above_read_only(self) -> list[Path]:
        """Return the folders of the workspace that contain read-only files, outermost first.

        They are mounted on themselves, so that a command cannot rename them and put a folder of its own with
        another file in their place.
        """
        inside = [
            Path(place).relative_to(WORKSPACE)
            for place in self.read_only
            if place.startswith(f"{WORKSPACE}/")
        ]
        folders = {folder for place in inside for folder in place.parents if folder != Path()}
        for folder in folders:
            self._refuse_links(f"{WORKSPACE}/{folder}")
        return [] if self.workspace_read_only else sorted(folders)

    def _refuse_links(self, inside: str) -> None:
        """Raise `SandboxFailed` when a part of the path `inside` the workspace is a link.

        The workspace holds strangers' files, and a link would make bwrap mount in another place.
        """
        below = posixpath.relpath(inside, WORKSPACE)
        if below.startswith(".."):
            return
        place = self.workspace
        for part in Path(below).parts:
            place = place / part
            if place.is_symlink():
                raise SandboxFailed(f"Nothing can be mounted at {inside}, because it leads through a link.")

    def _hide_git(self, args: "_Options") -> None:
        """Cover `.git` with an empty mount, which commands can neither rename nor remove.

        A file is covered with /dev/null: git then goes on as if there were no `.git`. An empty file would
        make even commands fail that need no repository (`git config --list`).
        """
        self._refuse_links(f"{WORKSPACE}/.git")
        git = self.workspace / ".git"
        if git.is_dir():
            args.add("--perms", "0555", "--tmpfs", f"{WORKSPACE}/.git", "--remount-ro", f"{WORKSPACE}/.git")
        elif git.exists():
            args.add("--dev-bind", "/dev/null", f"{WORKSPACE}/.git", "--remount-ro", f"{WORKSPACE}/.git")


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of every command, and `more`."""
    search = (f"{sys.prefix}/bin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
    # Without an environment of the repository's own, pytest is the bot's, and the plugins beside it are not
    # the repository's: to load them takes longer than pytest itself.
    bots_own = {} if "VIRTUAL_ENV" in more else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return {
        "PATH": ":".join(dict.fromkeys(search)),
        "HOME": HOME,
        "USER": "agent",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **bots_own,
        **more,
    }


class _Options:
    """Options of bwrap, and the files it makes inside; `stack` closes the descriptors opened for them."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.words: list[str] = []
        self.fds: list[int] = []

    def add(self, *words: str) -> None:
        self.words.extend(words)

    def add_file(self, inside: str, text: str) -> None:
        self.add("--ro-bind-data", str(self.memory_file(text)), inside)

    def memory_file(self, content: str | bytes) -> int:
        number = os.memfd_create("scenarist")
        self._stack.callback(os.close, number)
        self.fds.append(number)
        os.write(number, os.fsencode(content))
        os.lseek(number, 0, os.SEEK_SET)
        return number


def _run_bwrap(
    launcher: list[str],
    options: _Options,
    argv: Sequence[str],
    limits: CommandLimits,
    group: Group,
    watched: tuple[Capture, threading.Event | None, DiskWatch, MemoryWatch | None],
    streams: Streams,
) -> CommandResult:
    """Run `argv` under bwrap.

    The command is blocked until its limits are set and this process can end its pid namespace. `watched` are
    the arguments of `Running.wait` after the time limit. Raises `SandboxFailed`.
    """
    with contextlib.ExitStack() as stack:
        status, status_end = _pipe(stack)
        block_end, block = _pipe(stack)
        if (filtering := seccomp.program(shared_bytes=limits.memory_mb << 8)) is not None:
            options.add("--seccomp", str(options.memory_file(filtering)))
        options.add("--json-status-fd", str(status_end.fileno()), "--block-fd", str(block_end.fileno()))
        # The options are passed in a memory file, because command lines are readable for other processes,
        # and inside the sandbox in /proc/1/cmdline.
        words_fd = options.memory_file("\0".join(options.words))
        words = [*launcher, "--args", str(words_fd), "--", *argv]
        fds = (*options.fds, status_end.fileno(), block_end.fileno())
        # bwrap starts with an empty environment, because commands inside can read it in /proc/1/environ.
        running = stack.enter_context(Running(words, cwd="/", env={}, pass_fds=fds, streams=streams))
        status_end.close()
        if select.select([status], [], [], limits.wall_s)[0] and (line := status.readline()):
            with contextlib.suppress(ProcessLookupError):  # bwrap has failed already; its output says why
                pid = int(json.loads(line)["child-pid"])
                running.init, running.init_pid = os.pidfd_open(pid), pid
                group.add(pid)
                limit_process(pid, limits)
        block.write(b"1")
        result = running.wait(limits.wall_s, *watched)
        # bwrap reports "exit-code" only for a command that started and that nobody stopped.
        if result.exit_code is None or b"exit-code" in status.read():
            return result
        if result.output.startswith("bwrap: execvp "):
            return result.model_copy(
                update={"exit_code": 127, "output": result.output.removeprefix("bwrap: ")}
            )
        if result.output.startswith("bwrap: "):
            reason = result.output.strip().splitlines()[-1].rstrip(".")
            raise SandboxFailed(f"The sandbox could not be set up: {reason}.")
        # The kernel killed bwrap together with the command, because memory ran out.
        return result.model_copy(update={"exit_code": 128 + signal.SIGKILL})


def _pipe(stack: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    read, write = os.pipe()
    return stack.enter_context(FileIO(read, "r")), stack.enter_context(FileIO(write, "w"))
