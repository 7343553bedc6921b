"""The changed files that a reviewer would not expect: what is neither source, tests nor documentation."""

from pathlib import Path, PurePosixPath

from runners.git.command import git
from runners.verify.rules.purposes import is_code, purpose_of

# What is written by hand beside code: templates, styles, schemas.
_WRITTEN = frozenset(
    [
        ".css",
        ".graphql",
        ".html",
        ".j2",
        ".jinja",
        ".jinja2",
        ".less",
        ".md",
        ".po",
        ".proto",
        ".sass",
        ".scss",
        ".tmpl",
    ]
)
_MODES = {"120000": "a link", "160000": "a submodule"}


def unexpected_files(git_dir: Path, base: str, head: str, features: str) -> list[tuple[str, str]]:
    """Return (path, what is special about it) of the files between two commits that reviewers should be told
    of.

    `features` is the folder of the repository's features. Links, submodules and files that become executable
    are among them whatever they are called.
    """
    out = git("diff", "--raw", "--no-renames", "-z", base, head, git_dir=git_dir)
    parts = out.split("\0")
    found: list[tuple[str, str]] = []
    for meta, path in zip(parts[0::2], parts[1::2], strict=False):
        before, after, *_, status = meta.removeprefix(":").split()
        special = _MODES.get(after, "")
        if after == "100755" and before != "100755":
            special = "made executable"
        if special or not _is_expected(path, features):
            found.append((path, special or ("deleted" if status == "D" else "")))
    return found


def _is_expected(path: str, features: str) -> bool:
    purpose = purpose_of(path, features)
    if purpose == "product":
        return is_code(path) or PurePosixPath(path).suffix.lower() in _WRITTEN
    return purpose != "configuration"
