"""Find out which files a step creates in the checkout."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def created() -> Iterator[list[str]]:
    """Yield a list of the paths, relative to the working directory, of files that are created meanwhile."""
    found: list[str] = []
    opened = io.open

    def noting(file: Any, mode: Any = "r", *more: Any, **options: Any) -> Any:
        with contextlib.suppress(TypeError, ValueError):  # a descriptor, or no path at all
            path = os.path.relpath(file)
            if set(str(mode)) & set("wax") and not path.startswith("..") and not os.path.lexists(path):
                found.append(path)
        return opened(file, mode, *more, **options)

    kept = builtins.open, io.open
    builtins.open = io.open = noting
    try:
        yield found
    finally:
        builtins.open, io.open = kept
