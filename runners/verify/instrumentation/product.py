"""Find the files of a change that are product code: no tests, steps, fixtures or configuration."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from runners.git.command import changed_files, list_files, read_blob
from runners.verify.claim import Claim
from runners.verify.instrumentation import sabotage
from runners.verify.instrumentation.sabotage import Instrumented
from runners.verify.rules.purposes import is_judge, is_product

_MAX_PRODUCT = 500
_CODE = frozenset(
    [
        ".c",
        ".cc",
        ".cpp",
        ".cs",
        ".ex",
        ".go",
        ".html",
        ".java",
        ".jinja",
        ".j2",
        ".jl",
        ".js",
        ".jsx",
        ".kt",
        ".lua",
        ".mjs",
        ".php",
        ".pl",
        ".pyx",
        ".r",
        ".rb",
        ".rs",
        ".scala",
        ".sh",
        ".sql",
        ".swift",
        ".ts",
        ".tsx",
        ".vue",
    ]
)


class ProductFiles:
    """The product's files that a change from `base` to `head` touches, and all of the product's files on the
    head.

    `proof` is the head with its scenarios. `is_aside(path)` says whether a file judges the change and so is
    left alone, `is_product(path)` whether it is code of the product. Files that are neither are documents and
    configuration.
    """

    def __init__(
        self,
        git_dir: Path,
        base: str,
        head: str,
        proof: str,
        is_aside: Callable[[str], bool],
        is_product: Callable[[str], bool],
    ) -> None:
        self._git_dir = git_dir
        self._base = base
        self._head = head
        self._proof = proof
        self._is_product = is_product
        # Whether a changed Python file could not be read as such.
        self.unread = False
        self._changed = [path for _, path in changed_files(git_dir, base, head) if not is_aside(path)]

    def _blob(self, commit: str, path: str) -> bytes | None:
        return read_blob(self._git_dir, commit, path)

    def before(self, path: str) -> str:
        """Return the text of a file on the base; empty if it is not there."""
        return (self._blob(self._base, path) or b"").decode(errors="replace")

    def after(self, path: str) -> str:
        """Return the text of a file on the head; empty if it is not there."""
        return (self._blob(self._head, path) or b"").decode(errors="replace")

    def _is_source(self, path: str) -> bool:
        return path.endswith(".py") and self._is_product(path) and self._blob(self._head, path) is not None

    def instrumented(self, switch: str) -> dict[str, Instrumented]:
        """Return the changed Python files of the product, with their sites."""
        found: dict[str, Instrumented] = {}
        first = 0
        for path in filter(self._is_source, self._changed):
            try:
                found[path] = sabotage.instrumented(path, self.before(path), self.after(path), switch, first)
            except SyntaxError:
                self.unread = True
                continue
            first += len(found[path].sites)
        return found

    def others(self) -> list[str]:
        """Return the other changed files: data, templates, documents, configuration, and deleted sources."""
        return [path for path in self._changed if not self._is_source(path)]

    def whole(self) -> list[str]:
        """Return every Python file of the product on the head.

        None if the product has code in other languages, or too much of it.
        """
        own = [
            path
            for path in list_files(self._git_dir, self._proof)
            if not path.startswith((".scenarist/", "docs/")) and self._is_product(path)
        ]
        if any(PurePosixPath(path).suffix.lower() in _CODE for path in own):
            return []
        python = [path for path in own if path.endswith(".py")]
        return python if len(python) <= _MAX_PRODUCT else []

    def step_files(self, *folders: str) -> list[str]:
        """Return the Python files below `folders`, which contain step definitions."""
        files = list_files(self._git_dir, self._proof)
        return [path for path in files if path.endswith(".py") and path.startswith(folders)]


def only_functions(git_dir: Path, claim: Claim, features: str) -> bool:
    """Return whether a change touches only Python functions of the product, so that breaking these breaks
    all of it.
    """
    files = ProductFiles(
        git_dir,
        claim.base,
        claim.head,
        claim.head,
        lambda path: is_judge(path, features) or path == claim.feature,
        lambda path: is_product(path, features),
    )
    sources = files.instrumented("").values()
    return (
        bool(sources) and not files.unread and not files.others() and not any(each.rest for each in sources)
    )
