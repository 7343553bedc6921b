"""What a commit needs from outside of its repository: the files of submodules, and of Git LFS."""

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runners.git.command import git, has_commit
from runners.git.lfs import keep, kept, pointers_of, wanted
from runners.git.lfs_fetch import fetch_large_files
from runners.git.modules import (
    Submodule,
    fetch_modules,
    is_fetched,
    modules_of,
    modules_repository,
    reference_of,
)
from runners.git.workspaces import Mirror

_MODULES = "modules.pack"
_FILES = "lfs/"


def fetch_outside(mirror: Mirror, commit: str, parent: str, header: str) -> None:
    """Fetch them from the server of the repository at `parent`, with its own credential `header`.

    What the credential does not open is left out, and named when the environment is made.
    """
    fetch_modules(mirror, commit, parent, header)
    fetch_large_files(mirror, commit, parent, header)


def lacks_outside(mirror: Mirror, commit: str) -> bool:
    """Return whether something of it is not here."""
    return any(not is_fetched(mirror, each) for each in modules_of(mirror, commit)) or any(
        kept(mirror.path, each) is None for each in wanted(pointers_of(mirror.path, commit))
    )


def pack_outside(mirror: Mirror, commit: str, most: int) -> bytes:
    """Return those that are here as one file for another machine; empty if there are none.

    Files of Git LFS that would make it larger than `most` bytes are left out, and so are submodules.
    """
    packed = io.BytesIO()
    room = most
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        modules = [each for each in modules_of(mirror, commit) if is_fetched(mirror, each)]
        if modules:
            room -= _add(archive, _MODULES, _packed_modules(mirror, modules), room)
        for pointer in wanted(pointers_of(mirror.path, commit)):
            place = kept(mirror.path, pointer)
            if place is not None and pointer.size < room:
                room -= _add(archive, f"{_FILES}{pointer.oid}", place.read_bytes(), room)
    return packed.getvalue() if room < most else b""


def unpack_outside(mirror: Mirror, commit: str, packed: bytes) -> None:
    """Take over what `pack_outside` gave on another machine. Raises `GitFailed`."""
    pointers = {each.oid: each for each in pointers_of(mirror.path, commit)}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                continue
            pointer = pointers.get(member.name.removeprefix(_FILES))
            if member.name == _MODULES:
                _unpack_modules(mirror, modules_of(mirror, commit), file.read())
            elif pointer is not None and kept(mirror.path, pointer) is None:
                keep(mirror.path, pointer, [file.read()])


def _add(archive: tarfile.TarFile, name: str, content: bytes, room: int) -> int:
    """Add a file if it fits; returns how many bytes of the room are used then."""
    used = len(content) + 2 * tarfile.BLOCKSIZE
    if used > room:
        return 0
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
    return used


def _packed_modules(mirror: Mirror, modules: Sequence[Submodule]) -> bytes:
    """Return the commits of submodules as a file of git's pack format; each is there without its history."""
    commits = "".join(f"{each.commit}\n" for each in modules).encode()
    with tempfile.TemporaryDirectory(prefix="scenarist-modules-") as tmp:
        place = modules_repository(mirror)
        git("pack-objects", "--quiet", "--revs", f"{tmp}/pack", stdin=commits, git_dir=place)
        (pack,) = Path(tmp).glob("*.pack")
        return pack.read_bytes()


def _unpack_modules(mirror: Mirror, modules: Sequence[Submodule], pack: bytes) -> None:
    """Add what `_packed_modules` gave to the repository of the submodules. Raises `GitFailed`."""
    with mirror.lock(), tempfile.TemporaryDirectory(prefix="scenarist-modules-") as tmp:
        place = Path(tmp) / "modules.pack"
        place.write_bytes(pack)
        repository = modules_repository(mirror)
        # Their parents are missing: https://git-scm.com/docs/shallow
        shallow = repository / "shallow"
        known = set(shallow.read_text().split()) if shallow.exists() else set()
        packed = Path(f"{repository}/objects/pack/pack-{hashlib.sha256(pack).hexdigest()}.pack")
        packed.write_bytes(pack)
        git("index-pack", "--fsck-objects", str(packed), git_dir=repository)
        here = [each for each in modules if has_commit(repository, each.commit)]
        shallow.write_text("".join(f"{each}\n" for each in sorted(known | {each.commit for each in here})))
        for each in here:
            git("update-ref", reference_of(each), each.commit, git_dir=repository)
