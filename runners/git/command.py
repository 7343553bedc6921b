"""Run git through GitPython, with everything disabled that would run code of a repository or a user.

Hooks, fsmonitor, external diff and credential helpers are commands that a repository's or a user's
configuration can name. `ext::` and `file://` submodules fetch from places that a repository chooses.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from git.cmd import Git
from git.exc import GitCommandError

from gherkin.errors import ScenaristError
from runners.git.recent import Recent

_HARDENED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "diff.ignoreSubmodules=all",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "protocol.ext.allow=never",
    "protocol.file.allow=user",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "safe.directory=*",
)

_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    # This file repeats the settings above, because a fetch from a folder starts programs without options.
    "GIT_CONFIG_GLOBAL": str(Path(__file__).parent / "gitconfig"),
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ATTR_NOSYSTEM": "1",
    "LC_ALL": "C.UTF-8",
}

# Options for git commands that print differences, so that they start no program of the repository.
PLAIN = ("--no-ext-diff", "--no-textconv")

AUTHOR = ("Scenarist", "scenarist@users.noreply.scenarist.dev")


class GitFailed(ScenaristError):
    """A git command failed."""

    # The exit status of the command and what it printed, if it ran.
    status = 0
    output = ""

    code = "SCN-3101"
    next_step = (
        "If git's message is about this machine (disk, permissions, memory), correct that, then retry "
        "the run."
    )


class GitUnavailable(GitFailed):
    """A remote repository could not be reached, or its server failed."""

    code = "SCN-3103"
    next_step = (
        "Nothing is lost: the step is repeated automatically. If it keeps failing, see the forge's status "
        "page."
    )


class PushRefused(GitFailed):
    """The forge refused the push of the branch."""

    code = "SCN-3104"
    next_step = (
        "Allow the bot to push to `agent/…` branches in the repository's rulesets, branch protection and "
        "push rules. Then comment `/agent retry publish`."
    )


_REMOTE = ("fetch", "push", "ls-remote")
# Messages of git and libcurl about temporary errors.
_TEMPORARY = re.compile(
    r"returned error: (?:5\d\d|408|429)|could not resolve host|failed to connect|couldn't connect|timed out|"
    r"connection (?:refused|reset)|empty reply from server|rpc failed|early eof|unexpected disconnect|"
    r"remote end hung up|transfer closed|http/2 stream",
    re.IGNORECASE,
)
_REJECTED = re.compile(r"\[remote rejected\].*\((?P<why>[^()\n]+)\)\s*$", re.MULTILINE)
_REMOTE_ERROR = re.compile(r"^remote: (?:error: |fatal: )?(?P<said>\S.*)$", re.MULTILINE)


def git(
    *args: str,
    git_dir: Path,
    work_tree: Path | None = None,
    header: str = "",
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    strip: bool = True,
    stdin: bytes | None = None,
    exclude: Path = Path("/dev/null"),
    launcher: Sequence[str] = (),
    check: bool = True,
    fsck: bool = False,
) -> str:
    """Run ``git args…`` on the git directory `git_dir` and return its standard output.

    Git does not search for a git directory itself. `header` (an ``Authorization: …`` line) is passed in the
    environment. Output that is not UTF-8 keeps its bytes as surrogates. `launcher` are words put before the
    command; if they start another mount namespace, `git_dir` and `work_tree` are paths in it. `timeout` is
    in seconds. `exclude` is a file with patterns of ignored files. With `fsck`, git checks the objects that
    it receives; this is for objects that runners made, since old histories hold malformed ones. Raises
    `GitFailed` with git's message about the cause, unless `check` is False.
    """
    environment = {
        **_ENVIRONMENT,
        "GIT_DIR": str(git_dir),
        "GIT_AUTHOR_NAME": AUTHOR[0],
        "GIT_AUTHOR_EMAIL": AUTHOR[1],
        "GIT_COMMITTER_NAME": AUTHOR[0],
        "GIT_COMMITTER_EMAIL": AUTHOR[1],
        **(env or {}),
    }
    if work_tree is not None:
        environment["GIT_WORK_TREE"] = str(work_tree)
    if header:
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": header,
        }
    settings = (*_HARDENED, f"core.excludesFile={exclude}", f"transfer.fsckObjects={str(fsck).lower()}")
    options = [part for setting in settings for part in ("-c", setting)]
    try:
        with tempfile.TemporaryFile() as given:
            given.write(stdin or b"")
            given.seek(0)
            status, out, err = Git("/" if launcher else str(work_tree or git_dir)).execute(
                [*launcher, "git", *options, *args],
                istream=given,
                env=environment,
                with_extended_output=True,
                with_exceptions=False,
                kill_after_timeout=timeout,
                strip_newline_in_stdout=strip,
            )
    except GitCommandError as error:
        raise GitFailed(
            f"git {args[0]} could not be started: {_cause_in(str(error.stderr))}.",
            "Install git where this worker runs, then retry the run.",
        ) from None
    if status != 0 and check:
        text = err if isinstance(err, str) else err.decode(errors="replace")
        failed = _failure(args[0], status, text)
        failed.status, failed.output = status, out if isinstance(out, str) else out.decode(errors="replace")
        raise failed
    return out if isinstance(out, str) else out.decode(errors="surrogateescape")


def _failure(command: str, status: int, said: str) -> GitFailed:
    """Return the error for a git command that failed with `status` and printed `said`."""
    rejected = _REJECTED.search(said)
    if command == "push" and rejected:
        remarks = [found["said"].strip() for found in _REMOTE_ERROR.finditer(said)]
        why = "; ".join([rejected["why"], *remarks])[:500].rstrip(".")
        return PushRefused(f"The push was refused: {why}.")
    kind = GitUnavailable if command in _REMOTE and _TEMPORARY.search(said) else GitFailed
    return kind(f"git {command} failed (exit {status}): {_cause_in(said)}.")


_CAUSE = re.compile(
    r"^(?:remote: )?(?:fatal|error|ERROR|GH\d+|GitLab): ?\S|^remote: \S|^ssh: |: Permission denied|not found",
    re.I,
)
_COMMON = re.compile(
    r"Could not read from remote repository|Please make sure you have|^and the repository exists|^remote: "
    r"(?:Enumerating|Counting|Compressing|Total)"
)


def _cause_in(text: str) -> str:
    """Return the lines of git's messages that name the cause; the last line is often only a hint."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [line for line in lines if _CAUSE.search(line) and not _COMMON.search(line)]
    shown = (
        list(dict.fromkeys(found))[:3]
        or [line for line in lines if not _COMMON.search(line)][-1:]
        or lines[-1:]
    )
    return " / ".join(shown)[:600].rstrip(".") or "it said nothing"


def changed_files(git_dir: Path, base: str, head: str) -> list[tuple[str, str]]:
    """Return (status letter, path) for every file that differs between two commits.

    A renamed file is listed as deleted and added.
    """
    out = git("diff", "--name-status", "--no-renames", "-z", base, head, git_dir=git_dir)
    parts = out.split("\0")
    return list(zip(parts[0::2], parts[1::2], strict=False))


def newest_subjects(git_dir: Path, commit: str, most: int = 50) -> list[str]:
    """Return the subjects of `commit` and of at most `most` - 1 commits before it, newest first."""
    return git("log", f"--max-count={most}", "--format=%s", commit, git_dir=git_dir).splitlines()


# A commit that is named by its hash never changes, so what it holds is read once.
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LISTINGS, _BLOBS = Recent(8_000_000), Recent(8_000_000)


def read_blob(git_dir: Path, commit: str, path: str) -> bytes | None:
    """Return the bytes of `path` in `commit`, or None if it is not a file there."""
    try:
        blob = _blob_at(_listing(git_dir, commit), path)
        if blob is None:
            return None
        read = partial(git, "cat-file", "blob", blob, git_dir=git_dir, strip=False)
        out = _BLOBS.get((git_dir, blob), read)
    except GitFailed:
        return None
    return out.encode(errors="surrogateescape")


def _blob_at(listed: str, path: str) -> str | None:
    """Return the id of the file `path` in what `_listing` returned; None if there is none."""
    at = listed.find(f"\t{path}\0")
    while at >= 0:
        meta = listed[listed.rfind("\0", 0, at) + 1 : at]
        if "\t" not in meta:  # else `path` is only the end of another path, which holds a tab
            _, kind, blob = meta.split()
            return blob if kind == "blob" else None
        at = listed.find(f"\t{path}\0", at + 1)
    return None


def _listing(git_dir: Path, commit: str) -> str:
    """Return all files of `commit` as ``git ls-tree -r -z`` prints them."""

    def read() -> str:
        return git("ls-tree", "-r", "-z", commit, git_dir=git_dir, strip=False)

    return _LISTINGS.get((git_dir, commit), read) if _FULL.fullmatch(commit) else read()


def tree_of(git_dir: Path, commit: str) -> str:
    """Return the id of the tree of `commit`. Raises `GitFailed`."""
    read = partial(git, "rev-parse", f"{commit}^{{tree}}", git_dir=git_dir)
    return _LISTINGS.get((git_dir, commit, "tree"), read) if _FULL.fullmatch(commit) else read()


def list_files(git_dir: Path, commit: str, under: str = "") -> list[str]:
    """Return all file paths of `commit`, or only those below the folder `under`."""
    return [entry.path for entry in tree_entries(git_dir, commit, *((under,) if under else ()))]


class TreeEntry(NamedTuple):
    """A file of a commit: git's mode (``100644``, ``120000``, …), the id of its blob, its path."""

    mode: str
    blob: str
    path: str


def tree_entries(git_dir: Path, commit: str, *paths: str) -> list[TreeEntry]:
    """Return all files of `commit`, or only those at or below the given paths."""
    below = tuple(f"{path.rstrip('/')}/" for path in paths)
    found = []
    for line in filter(None, _listing(git_dir, commit).split("\0")):
        meta, _, path = line.partition("\t")
        if not paths or f"{path}/".startswith(below):
            mode, _, blob = meta.split()
            found.append(TreeEntry(mode, blob, path))
    return found


def store_blob(git_dir: Path, content: bytes) -> str:
    """Store a file's content in the repository; returns the id of the blob."""
    return git("hash-object", "-w", "--stdin", git_dir=git_dir, stdin=content)


def commit_on(
    git_dir: Path,
    parent: str,
    message: str,
    *,
    added: Sequence[TreeEntry] = (),
    removed: Sequence[str] = (),
    tree: str | None = None,
    also: Sequence[str] = (),
) -> str:
    """Make a commit on `parent` without a checkout; returns its id.

    Its files are those of `tree` (a commit; default: `parent`), with the files `added` added or replaced and
    the paths `removed` removed. `also` are further parents. Nothing is written to a working tree, where a
    link could redirect a write.
    """
    lines = [f"0 {'0' * 40}\t{path}\0" for path in removed]
    lines += [f"{entry.mode} {entry.blob}\t{entry.path}\0" for entry in added]
    with tempfile.TemporaryDirectory(prefix="scenarist-index-") as tmp:
        index = {"GIT_INDEX_FILE": str(Path(tmp) / "index")}
        git("read-tree", tree or parent, git_dir=git_dir, env=index)
        listed = "".join(lines).encode(errors="surrogateescape")
        git("update-index", "--replace", "-z", "--index-info", git_dir=git_dir, env=index, stdin=listed)
        written = git("write-tree", git_dir=git_dir, env=index)
    parents = [word for each in (parent, *also) for word in ("-p", each)]
    return git("commit-tree", written, *parents, "-m", message, git_dir=git_dir)


def has_commit(git_dir: Path, commit: str) -> bool:
    """Return whether the repository has the commit."""
    try:
        git("cat-file", "-e", f"{commit}^{{commit}}", git_dir=git_dir)
    except GitFailed:
        return False
    return True


def is_ancestor(git_dir: Path, commit: str, tip: str) -> bool:
    """Return whether `commit` is part of the history of `tip`, or `tip` itself."""
    try:
        git("merge-base", "--is-ancestor", commit, tip, git_dir=git_dir)
    except GitFailed as error:
        if error.status != 1:
            raise
        return False
    return True


def conflicts(git_dir: Path, ours: str, theirs: str) -> list[str]:
    """Return the files in which a merge of two commits would conflict.

    No branch and no working tree is changed. Raises `GitFailed`, for example if git is older than 2.38.
    """
    merging = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs)
    try:
        git(*merging, git_dir=git_dir)
    except GitFailed as error:
        if error.status != 1:
            raise
        _tree, *paths = error.output.split("\0")
        return sorted({path for path in paths if path})
    return []


def push(
    source: Path,
    bundle: bytes,
    ref: str,
    *,
    url: str,
    header: str,
    branch: str,
    expected: str | None,
    commit: str,
    beneath: bool = False,
) -> None:
    """Push `commit` from `bundle` to `branch` of the repository at `url`.

    The ref `ref` of the bundle must be `commit`; with `beneath`, its first parent must be. The push runs in a
    fresh repository that borrows the objects of `source`, so git reads no configuration that a runner could
    have changed while it has the credential `header`. The branch must be at the commit `expected` (None: it
    must not exist). Raises `GitFailed`, and changes nothing, if one of these is not so or the push fails.
    """
    with tempfile.TemporaryDirectory(prefix="scenarist-push-") as tmp:
        clean = Path(tmp) / "push.git"
        git("init", "--quiet", "--bare", str(clean), git_dir=clean)
        (clean / "objects" / "info" / "alternates").write_text(f"{source.resolve() / 'objects'}\n")
        packed = Path(tmp) / "work.bundle"
        packed.write_bytes(bundle)
        git("fetch", "--quiet", "--no-tags", str(packed), f"+{ref}:{ref}", git_dir=clean, fsck=True)
        sha = git("rev-parse", f"{ref}^1" if beneath else f"{ref}^{{commit}}", git_dir=clean)
        if sha != commit:
            raise GitFailed(
                f"The bundle holds the commit {sha[:12]} instead of {commit[:12]}.",
                "The runner's commit is not the verified one, so nothing was pushed. Check the runner's "
                "machine, then retry the run from `implement`.",
            )
        git(
            "push",
            "--quiet",
            f"--force-with-lease=refs/heads/{branch}:{expected or ''}",
            url,
            f"{sha}:refs/heads/{branch}",
            git_dir=clean,
            header=header,
        )


def remote_heads(url: str, header: str, *branches: str) -> dict[str, str]:
    """Return branch name -> commit id as the remote has them now, without branches that it does not have."""
    with tempfile.TemporaryDirectory(prefix="scenarist-ls-") as tmp:
        refs = [f"refs/heads/{branch}" for branch in branches]
        out = git("ls-remote", url, *refs, git_dir=Path(tmp), header=header)
    found = {}
    for line in out.splitlines():
        sha, _, ref = line.partition("\t")
        found[ref.removeprefix("refs/heads/")] = sha
    return found
