"""Fetch the files that a set names: from text, a folder, git, PyPI, or a row of a JSON Lines file."""

import fcntl
import hashlib
import json
import re
import stat
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bot.evaluation.task_set import GitTree, PackageTree, RowTree, Tree
from gherkin.errors import ScenaristError
from runners.environment.registries import operator_settings
from runners.git.command import GitFailed, git, tree_entries
from runners.policy.globs import matches
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.suites.run import tail

_DOWNLOAD_S = 600.0
_FIELD = re.compile(r"\{(\w+)\}")
# Where the operator may have a clone of a public repository, below the folder of `--clones`.
_ON_A_FORGE = re.compile(r"^https://[^/]+/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?$")


class SourceUnavailable(ScenaristError):
    """The files that a task of `scenarist eval` needs cannot be fetched."""

    code = "SCN-7061"
    next_step = "Check the network and the registry, or give a folder of clones with --clones."


class File(NamedTuple):
    """The content of a file, and whether it is executable."""

    data: bytes
    executable: bool = False


Files = dict[str, File]


class Trees:
    """Fetches trees and keeps what it fetched below `cache`.

    `place` is the folder of the set. `clones` may hold clones of public repositories, as ``OWNER/NAME``,
    ``OWNER+NAME`` or ``NAME``, with or without ``.git``; they are used instead of the network.
    """

    def __init__(self, cache: Path, place: Path, *, clones: Path | None, unsafe: bool) -> None:
        self._cache = cache
        self._place = place
        self._clones = clones
        self._unsafe = unsafe

    def files(self, tree: Tree) -> Files:
        """Return the files of `tree` by path. Raises `SourceUnavailable`."""
        if tree.texts is not None:
            found = {path: File(text.encode()) for path, text in tree.texts.items()}
        elif tree.folder:
            found = self._of_folder(tree.folder)
        elif tree.git is not None:
            found = self._of_git(tree.git, tree.keep)
        elif tree.package is not None:
            found = self._of_package(tree.package)
        elif tree.row is not None:
            found = self._of_row(tree.row)
        for path in (*found, *tree.move.values()):
            _check(path)
        if tree.keep:
            found = {path: file for path, file in found.items() if _any(path, tree.keep)}
        found = {path: file for path, file in found.items() if not _any(path, tree.remove)}
        found = {tree.move.get(path, path): file for path, file in found.items()}
        if not found:
            raise SourceUnavailable(f"None of the files that a set wants is in {_named(tree)}.")
        return found

    def laid(self, trees: Sequence[Tree]) -> Files:
        """Return the files of several trees; those of later ones win. Raises `SourceUnavailable`."""
        found: Files = {}
        for tree in trees:
            found |= self.files(tree)
        return found

    def _of_folder(self, folder: str) -> Files:
        root = (self._place / folder).resolve()
        if not root.is_dir():
            raise SourceUnavailable(f"There is no folder {folder} beside the set.")
        return {
            path.relative_to(root).as_posix(): File(path.read_bytes(), bool(path.stat().st_mode & 0o100))
            for path in sorted(root.rglob("*"))
            if path.is_file() and not path.is_symlink() and ".git" not in path.relative_to(root).parts
        }

    def _of_git(self, source: GitTree, keep: Sequence[str]) -> Files:
        with self._repository(source) as (git_dir, commit):
            wanted = [
                entry
                for entry in tree_entries(git_dir, commit)
                if entry.mode.startswith("100") and (not keep or _any(entry.path, keep))
            ]
            try:
                contents = _blobs(git_dir, [entry.blob for entry in wanted])
            except GitFailed as error:
                raise SourceUnavailable(f"{source.url} at {source.commit}: {error.message}") from None
            return {
                entry.path: File(data, entry.mode == "100755")
                for entry, data in zip(wanted, contents, strict=True)
            }

    @contextmanager
    def _repository(self, source: GitTree) -> Iterator[tuple[Path, str]]:
        """Yield the git directory of a repository that has the commit, and the commit's id."""
        clone = self._clone_of(source.url)
        if clone is not None:
            known = git("rev-parse", "--verify", f"{source.commit}^{{commit}}", git_dir=clone, check=False)
            if not known:
                raise SourceUnavailable(f"{clone} has no commit {source.commit}.")
            yield clone, known
            return
        digest = hashlib.sha256(source.url.encode()).hexdigest()[:16]
        git_dir = self._cache / "git" / f"{digest}.git"
        git_dir.parent.mkdir(parents=True, exist_ok=True)
        with git_dir.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not (git_dir / "HEAD").exists():
                git("init", "--quiet", "--bare", str(git_dir), git_dir=git_dir)
            ref = f"refs/scenarist/{hashlib.sha256(source.commit.encode()).hexdigest()[:16]}"
            if not git("for-each-ref", ref, git_dir=git_dir):
                self._fetch(git_dir, source, ref)
            yield git_dir, git("rev-parse", f"{ref}^{{commit}}", git_dir=git_dir)

    def _fetch(self, git_dir: Path, source: GitTree, ref: str) -> None:
        if not source.url.startswith("https://"):
            raise SourceUnavailable(f"{source.url} is neither an https address nor a folder beside the set.")
        try:
            wanted = f"{source.commit}:{ref}"
            git("fetch", "--quiet", "--no-tags", "--depth=1", source.url, wanted, git_dir=git_dir)
        except GitFailed as error:
            raise SourceUnavailable(f"{source.url} at {source.commit}: {error.message}") from None

    def _clone_of(self, url: str) -> Path | None:
        """Return the git directory of a clone on this machine, if there is one."""
        beside = self._place / url
        places = [beside, beside / ".git"] if "://" not in url else []
        named = _ON_A_FORGE.match(url)
        if named and self._clones is not None:
            owner, name = named["owner"], named["name"]
            for each in (f"{owner}/{name}", f"{owner}+{name}", name):
                for folder in (self._clones / each, self._clones / f"{each}.git"):
                    places += [folder / ".git", folder, *folder.glob("*.git"), *folder.glob("*")]
        return next(
            (each for each in places if (each / "HEAD").is_file() and (each / "objects").is_dir()), None
        )

    def _of_package(self, package: PackageTree) -> Files:
        archive = self._cache / "packages" / f"{package.name}-{package.version}-{package.sha256[:16]}.tar.gz"
        archive.parent.mkdir(parents=True, exist_ok=True)
        with archive.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not archive.exists():
                data = self._downloaded(package)
                part = archive.with_suffix(".part")
                part.write_bytes(data)
                part.rename(archive)
        found: Files = {}
        with tarfile.open(archive) as opened:
            for member in opened:
                path = "/".join(PurePosixPath(member.name).parts[1:])
                added = path == "PKG-INFO" or ".egg-info/" in path
                if member.isreg() and path and not added:
                    reader = opened.extractfile(member)
                    if reader is not None:
                        found[path] = File(reader.read(), bool(member.mode & stat.S_IXUSR))
        return found

    def _downloaded(self, package: PackageTree) -> bytes:
        """Have pip download the archive. It builds the package's metadata, so it runs in a sandbox."""
        with tempfile.TemporaryDirectory(prefix="scenarist-package-") as tmp:
            folder = Path(tmp)
            pinned = f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n"
            (folder / "wanted.txt").write_text(pinned)
            box = Sandbox(
                folder,
                network=True,
                env={**operator_settings(), "UV_CACHE_DIR": "/tmp/uv"},  # noqa: S108 - inside the sandbox
                limits=CommandLimits(wall_s=_DOWNLOAD_S, cpu_s=_DOWNLOAD_S),
                unsafe=self._unsafe,
            )
            uv = ("uv", "run", "--quiet", "--no-project", "--python", sys.executable, "--with", "pip")
            pip = ("python", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
            one = ("--no-binary", package.name, "--requirement", "wanted.txt", "--dest", "got")
            result = box.run([*uv, *pip, *one])
            got = [each for each in (folder / "got").glob("*") if each.is_file() and not each.is_symlink()]
            if result.exit_code != 0 or len(got) != 1:
                why = tail(result.output)
                raise SourceUnavailable(f"{package.name} {package.version} cannot be downloaded: {why}")
            data = got[0].read_bytes()
        if hashlib.sha256(data).hexdigest() != package.sha256:
            raise SourceUnavailable(f"{package.name} {package.version} does not have the hash of the set.")
        return data

    def _of_row(self, source: RowTree) -> Files:
        text = self._of_git(source.git, [source.path]).get(source.path)
        if text is None:
            raise SourceUnavailable(f"{source.path} is not in {source.git.url}.")
        rows = (json.loads(line) for line in text.data.decode().splitlines() if line.strip())
        row = next((each for each in rows if str(each.get(source.key)) == source.row), None)
        if row is None:
            raise SourceUnavailable(f"{source.path} has no row whose {source.key} is {source.row}.")
        filled = {
            path: _FIELD.sub(lambda match: str(row.get(match[1], match[0])), template)
            for path, template in source.texts.items()
        }
        return {path: File(content.encode()) for path, content in filled.items()}


def _blobs(git_dir: Path, ids: Sequence[str]) -> list[bytes]:
    """Return the contents of blobs. Raises `GitFailed` where one is missing."""
    asked = "".join(f"{each}\n" for each in ids).encode()
    out = git("cat-file", "--batch", git_dir=git_dir, strip=False, stdin=asked)
    data, at, found = out.encode(errors="surrogateescape"), 0, []
    for _ in ids:
        end = data.index(b"\n", at)
        head = data[at:end].split()
        if len(head) != 3:
            raise GitFailed(f"the object {head[0].decode()} is missing.")
        begin, size = end + 1, int(head[2])
        found.append(data[begin : begin + size])
        at = begin + size + 1
    return found


def _any(path: str, globs: Sequence[str]) -> bool:
    return any(matches(path, each) for each in globs)


def _check(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0] == ".git":
        raise SourceUnavailable(f"{path[:200]!r} is not the path of a file in a repository.")


def _named(tree: Tree) -> str:
    if tree.git is not None:
        return tree.git.url
    if tree.package is not None:
        return f"{tree.package.name} {tree.package.version}"
    return tree.row.path if tree.row is not None else tree.folder or "texts"
