"""What commands see of the machine: programs and libraries, read-only, and nothing that is secret.

The words are options of bwrap(1), https://github.com/containers/bubblewrap.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# No key, no password, no host name: only what programs need to load, to speak TLS and to know names.
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
# A folder whose entries nobody can list: a name in it that cannot be guessed leads nowhere.
HIDDEN = "/hidden"


def system_mounts(*, network: bool = False) -> list[str]:
    """Options that mount the machine's programs, libraries and the harmless part of /etc."""
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
    """The running Python's virtual environment and the installation behind it, as named and as they really
    lie."""
    prefixes = dict.fromkeys((sys.prefix, sys.base_prefix))
    places = dict.fromkeys(place for p in prefixes for place in (p, str(Path(p).resolve())))
    return [place for place in places if Path(place).parts[:2] != ("/", "usr")]


def shown_places() -> list[Path]:
    """The folders of this machine that every sandbox shows."""
    return [Path(place).resolve() for place in (*SYSTEM, *toolchain()) if Path(place).exists()]


def confined(
    program: str, folders: Mapping[str, Path], cwd: str, *, read_only: Mapping[str, Path]
) -> list[str]:
    """Words that, put before a trusted command, run it in a mount namespace of its own, without a network.

    It sees the machine's programs, `folders` (path inside -> path on the host) and likewise the files
    `read_only` that are there, but no /proc, and it has no capabilities. So it can work in a folder that
    untrusted code changes at the same moment: a link there that it follows leads to nothing of the host. A
    folder below `/hidden` is found by nobody who does not know its name. `program` is what will be run, which
    may be installed anywhere.
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
    """The options that mount what belongs to a program that is not installed among the system's."""
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
