"""Compute the version of a commit for packages that read it from git, which the set-up's sandbox hides."""

import re
from pathlib import Path

from runners.git.command import GitFailed, git

_TAG = re.compile(r"^(?:.*?[-_/])?v?(\d+(?:\.\d+)*(?:[-_.]?(?:a|b|rc|alpha|beta|post|dev)[-_.]?\d*)?)$", re.I)
_DESCRIBED = re.compile(r"^(?P<tag>.+)-(?P<distance>\d+)-g[0-9a-f]+$")


def version_of(git_dir: Path, commit: str, metadata: str = "") -> str:
    """Return the version of `commit` by the newest tag before it, computed as setuptools-scm does.

    It is ``1.2`` at the tag and ``1.3.dev4`` four commits after it. Without a tag it is the version in
    `metadata` (the text of a PKG-INFO), else ``0.1.dev0``.
    """
    try:
        words = ("describe", "--tags", "--long", "--match", "*[0-9]*", commit)
        described = _DESCRIBED.match(git(*words, git_dir=git_dir))
    except GitFailed:
        described = None
    tag = _TAG.match(described["tag"]) if described else None
    if described is None or tag is None:
        told = re.search(r"^Version: (\S+)$", metadata, re.M)
        return told[1] if told else "0.1.dev0"
    if described["distance"] == "0":
        return tag[1]
    numbers = re.match(r"\d+(?:\.\d+)*", tag[1])
    release = [int(each) for each in (numbers[0] if numbers else "0").split(".")]
    release[-1] += 1
    return f"{'.'.join(map(str, release))}.dev{described['distance']}"
