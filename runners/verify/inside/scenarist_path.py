"""Loads a test runner from where it is installed, before anything of the repository can be found by its name."""

from __future__ import annotations

import importlib
import os
import sys


def load(*names: str) -> None:
    """Import the modules `names`, then put the working directory in front of the search path, as ``python -m`` would.

    A repository that is itself what is to be loaded, and has it nowhere else, gives its own.
    """
    here = os.getcwd()
    whole = [here, *sys.path]
    outside = [place for place in sys.path if not (os.path.abspath(place) + os.sep).startswith(here + os.sep)]
    sys.path[:] = outside
    try:
        for name in names:
            importlib.import_module(name)
    except ImportError:
        sys.path[:] = whole
        for name in names:
            importlib.import_module(name)
    sys.path[:] = whole
