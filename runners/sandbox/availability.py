"""Find out whether bubblewrap works on this machine, and what the operator can do if it does not."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

# Paths of bwrap programs that have worked in this process; they are not tried again.
_PROVEN: set[str] = set()


def available() -> str | None:
    """Try the sandbox on this machine; returns None if it works, else one clause that says why not."""
    if not bwrap():
        return "bubblewrap (`bwrap`) is not installed"
    if shutil.which("prlimit") is None:
        return "`prlimit` of util-linux is not installed"
    if bwrap() in _PROVEN:
        return None
    args = ["--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc"]
    tried = subprocess.run(
        [bwrap(), *args, "--", "true"],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    if tried.returncode == 0:
        _PROVEN.add(bwrap())
        return None
    said = (tried.stderr.strip().splitlines() or ["it gave no reason"])[-1]
    return f"bubblewrap does not work on this machine ({said.rstrip('.')})"


def remedy(root: Path = Path("/")) -> str:
    """Return what the operator can do when `available` says that the sandbox does not work.

    `root` is where this machine's file system is mounted; tests pass another folder.
    """
    if not bwrap():
        return "Install Debian's bubblewrap package."
    if shutil.which("prlimit") is None:
        return "Install Debian's util-linux package."
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return (
            "Let the container make user namespaces: start it with `--security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined`."
        )
    for name, bad, todo in _SWITCHES:
        switch = root / "proc/sys" / name
        if switch.exists() and switch.read_text(encoding="ascii", errors="replace").strip() == bad:
            return todo
    return (
        "Allow unprivileged user namespaces on this machine; `bwrap --unshare-user --ro-bind / / true` "
        "tries it."
    )


# Kernel settings below /proc/sys that can forbid namespaces to users: name, forbidding value, advice.
_SWITCHES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "Ubuntu's AppArmor keeps bubblewrap from making user namespaces: "
        "`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or an AppArmor profile for bwrap.",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "This kernel keeps users from making namespaces: `sudo sysctl -w "
        "kernel.unprivileged_userns_clone=1`.",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "This machine allows no user namespaces: `sudo sysctl -w user.max_user_namespaces=10000`.",
    ),
)


def bwrap() -> str:
    """Return the path of the bwrap program on the PATH; empty if there is none."""
    return shutil.which("bwrap") or ""


@cache
def bwrap_help(program: str) -> str:
    """Return bwrap's help text: the options of Debian 12's version and of Ubuntu 22.04's differ."""
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
