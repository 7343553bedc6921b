"""Which folders of the machine commands can see: programs and libraries, read-only, without secrets.

The words are options of bwrap(1), https://github.com/containers/bubblewrap.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# Only what programs need to load, to use TLS and to resolve names: no keys, passwords or host name.
_ETC = (
    "alternatives",
    "ca-certificates",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
)
# Commands cannot list this folder, so they cannot find an entry whose name they cannot guess.
HIDDEN = "/hidden"


def system_mounts(*, network: bool = False) -> list[str]:
    """Return options that mount the machine's programs, its libraries and the files of /etc in `_ETC`."""
    words: list[str] = []
    for place in map(Path, SYSTEM):
        if place.is_symlink():
            words += ["--symlink", str(place.readlink()), str(place)]
        elif place.exists():
            words += ["--ro-bind", str(place), str(place)]
    for name in (*_ETC, *(("resolv.conf",) if network else ())):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


def toolchain() -> list[str]:
    """Return the folders of the running Python's virtual environment and of its installation outside /usr.

    Each is listed by its own path and by the path that its links lead to.
    """
    prefixes = dict.fromkeys((sys.prefix, sys.base_prefix))
    places = dict.fromkeys(place for p in prefixes for place in (p, str(Path(p).resolve())))
    return [place for place in places if Path(place).parts[:2] != ("/", "usr")]


def shown_places() -> list[Path]:
    """Return the folders of this machine that every sandbox shows."""
    return [Path(place).resolve() for place in (*SYSTEM, *toolchain()) if Path(place).exists()]


def confined(
    program: str, folders: Mapping[str, Path], cwd: str, *, read_only: Mapping[str, Path]
) -> list[str]:
    """Return the words that run a trusted command in its own mount namespace, without a network.

    The command sees the machine's programs, `folders` (path inside -> path on the host) and the existing ones
    of the files `read_only` (also inside -> host). It sees no /proc and has no capabilities. So it can work
    in a folder that untrusted code is changing: a link there cannot lead it to other files of the host. To
    keep a folder from being found, mount it below `/hidden` under a name that cannot be guessed. `program` is
    the program that the command runs; its installation is mounted too, wherever it is.
    """
    words = [shutil.which("bwrap") or "bwrap"]
    words += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    words += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--die-with-parent"]
    words += [*system_mounts(), *_installation(program)]
    words += ["--tmpfs", "/tmp", "--perms", "0111", "--tmpfs", HIDDEN]  # noqa: S108
    for device in ("/dev/null", "/dev/urandom"):
        words += ["--dev-bind", device, device]
    for inside, host in folders.items():
        words += ["--bind", str(host), inside]
    for inside, host in read_only.items():
        words += ["--ro-bind-try", str(host), inside]
    return [*words, "--chdir", cwd, "--"]


def _installation(program: str) -> Sequence[str]:
    """Return options that mount the installation of `program` if it lies outside the system's folders."""
    found = shutil.which(program)
    if found is None:
        return ()
    prefixes = dict.fromkeys((Path(found).parent.parent, Path(os.path.realpath(found)).parent.parent))
    places = [
        str(prefix / part)
        for prefix in prefixes
        for part in ("bin", "lib", "lib64", "libexec", "share/git-core")
        if prefix != Path("/") and not any(map(prefix.is_relative_to, SYSTEM))
    ]
    return [word for place in places for word in ("--ro-bind-try", place, place)]
