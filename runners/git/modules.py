"""Submodules: fetched with the repository's own credential, where they lie on its own server.

Git's own commands for submodules are not used: they clone whatever address a repository names, and run what
its settings say. Only the files of the one commit that the repository asks for are fetched.
"""

import configparser
import logging
import posixpath
import re
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from gherkin.values import Frozen
from runners.git.command import GitFailed, git, read_blob, tree_entries
from runners.git.workspaces import Mirror

log = logging.getLogger(__name__)

_FOLDER = "modules"
_MOST = 20
_MAX_BYTES = 500_000_000
_SCP = re.compile(r"^(?:ssh://)?[\w.-]+@(?P<host>[\w.-]+)[:/](?P<path>[^/].*)$")


class Submodule(Frozen):
    """A submodule: its path in the repository, the commit that is asked for, its address as written, and its
    name.

    Address and name are empty where .gitmodules does not name the path.
    """

    path: str
    commit: str
    url: str
    name: str = ""


def modules_of(mirror: Mirror, commit: str) -> list[Submodule]:
    """Return the submodules of a commit."""
    links = [entry for entry in tree_entries(mirror.path, commit) if entry.mode == "160000"]
    if not links:
        return []
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        text = (read_blob(mirror.path, commit, ".gitmodules") or b"").decode(errors="replace")
        parser.read_string(re.sub(r"^\s+", "", text, flags=re.M))
    except configparser.Error:
        pass  # their addresses are not known then
    sections = {parser.get(name, "path", fallback=""): name for name in parser.sections()}
    return [
        Submodule(
            path=each.path,
            commit=each.blob,
            url=parser.get(sections.get(each.path, ""), "url", fallback=""),
            name=sections.get(each.path, "").removeprefix('submodule "').removesuffix('"'),
        )
        for each in links
    ]


def address(module: Submodule, parent: str) -> str:
    """Return where a submodule of the repository at `parent` is fetched from; empty: nowhere.

    Only from the same server: another address may be any machine that this one reaches. A repository on this
    machine (`parent` is a path) has only those beside it.
    """
    url = module.url.strip()
    if urlsplit(parent).scheme not in ("http", "https"):
        beside = re.fullmatch(r"\.\./([\w.-]+)", url)
        found = posixpath.join(posixpath.dirname(parent), beside[1]) if beside else ""
        return found if beside and beside[1] not in (".", "..") else ""
    if scp := _SCP.match(url):
        url = f"{urlsplit(parent).scheme}://{scp['host']}/{scp['path']}"
    resolved = urljoin(parent.rstrip("/") + "/", url) if url.startswith(("./", "../")) else url
    there, here = urlsplit(resolved), urlsplit(parent)
    same = (there.hostname, there.port) == (here.hostname, here.port) or (
        scp and there.hostname == here.hostname
    )
    if not same or there.username or there.query or there.scheme != here.scheme:
        return ""
    return resolved


def fetch_modules(mirror: Mirror, commit: str, parent: str, header: str) -> None:
    """Fetch the submodules of a commit that lie on the server of the repository at `parent`.

    `header` is the repository's own credential. One that it does not open is left out, and is named when the
    environment is made.
    """
    for module in modules_of(mirror, commit)[:_MOST]:
        url = address(module, parent)
        if not url or is_fetched(mirror, module):
            continue
        _fetch(mirror, module, url, header)


def take_modules(mirror: Mirror, commit: str, git_dir: Path) -> None:
    """Take the submodules of a commit that a clone with the git directory `git_dir` on this machine has.

    https://git-scm.com/docs/gitsubmodules
    """
    for module in modules_of(mirror, commit)[:_MOST]:
        place = git_dir / "modules" / module.name
        if not _is_plain(module.name) or is_fetched(mirror, module) or not (place / "HEAD").is_file():
            continue
        _fetch(mirror, module, str(place), "")


def _is_plain(name: str) -> bool:
    """Return whether the name of a submodule leads to a folder below another one."""
    return bool(name) and not name.startswith("/") and ".." not in name.split("/")


def _fetch(mirror: Mirror, module: Submodule, url: str, header: str) -> None:
    """Fetch the commit of a submodule without its history; what fails is logged."""
    with mirror.lock():
        place = modules_repository(mirror)
        spec = f"+{module.commit}:{reference_of(module)}"
        try:
            git("fetch", "--quiet", "--no-tags", "--depth=1", url, spec, git_dir=place, header=header)
        except GitFailed as error:
            log.info("submodule %s was not fetched: %s", module.path, error.message)


def is_fetched(mirror: Mirror, module: Submodule) -> bool:
    """Return whether the files of a submodule are here."""
    place = mirror.path / _FOLDER
    if not (place / "HEAD").is_file():
        return False
    found = git("for-each-ref", "--format=%(objectname)", reference_of(module), git_dir=place)
    return found == module.commit


def unpack(mirror: Mirror, module: Submodule, into: Path) -> None:
    """Write the files of a submodule that is here below the folder `into`, at its path.

    Links are left out. Raises `GitFailed` for more than 500 MB.
    """
    target = into / module.path
    with tempfile.TemporaryDirectory(prefix="scenarist-module-") as tmp:
        packed = Path(tmp) / "files.tar"
        git("archive", "--format=tar", f"--output={packed}", module.commit, git_dir=mirror.path / _FOLDER)
        if packed.stat().st_size > _MAX_BYTES:
            raise GitFailed(f"The submodule {module.path} is larger than {_MAX_BYTES // 1_000_000} MB.")
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(packed) as archive:
            files = [each for each in archive if each.isfile() or each.isdir()]
            archive.extractall(target, members=files, filter="data")


def reference_of(module: Submodule) -> str:
    """Return the name of the reference that holds the commit of a submodule."""
    return f"refs/modules/{module.commit}"


def modules_repository(mirror: Mirror) -> Path:
    """Return the repository that holds the submodules' commits, which is made if it is missing.

    The caller holds the mirror's lock.
    """
    place = mirror.path / _FOLDER
    if not (place / "HEAD").is_file():
        git("init", "--quiet", "--bare", str(place), git_dir=place)
    return place
