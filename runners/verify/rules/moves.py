"""Find tests that moved to another file together with all their assertions."""

from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import PurePosixPath

from runners.verify.rules.weakening import test_functions, weakened

_LIKE = 0.8
_MOST_BYTES = 200_000


def moved_files(gone: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, str]:
    """Return old path -> new path of each deleted test file whose tests are all in one new file.

    `gone` and `new` are the contents by path. A Python file has moved if each of its functions is in the new
    one and checks no less. Another file has moved if it is mostly the same text and asserts as often.
    """
    found: dict[str, str] = {}
    left = dict(new)
    for path, before in sorted(gone.items()):
        likely = sorted(
            left,
            key=lambda each: (left[each] != before, PurePosixPath(each).name != PurePosixPath(path).name),
        )
        target = next((each for each in likely if _holds(path, before, each, left[each])), None)
        if target is not None:
            found[path] = target
            del left[target]
    return found


def _holds(path: str, before: bytes, target: str, after: bytes) -> bool:
    if PurePosixPath(path).suffix != PurePosixPath(target).suffix:
        return False
    if before == after:
        return True
    if max(len(before), len(after)) > _MOST_BYTES:
        return False
    old, new = before.decode(errors="replace"), after.decode(errors="replace")
    if weakened(path, old, new):
        return False
    if path.endswith(".py"):
        functions = test_functions(old)
        return bool(functions) and functions <= test_functions(new)
    return SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).ratio() >= _LIKE
