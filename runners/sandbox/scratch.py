"""Temporary files of a worker lie below its state folder, where the next start finds and removes them."""

import os
import shutil
import tempfile
from pathlib import Path


def use_private_tmp(state_dir: Path) -> Path:
    """Make a folder of this process the place for temporary files; those of dead processes are removed.

    Child processes inherit it through ``TMPDIR``. Returns the folder.
    """
    home = state_dir.resolve() / "tmp"
    for folder in home.glob("*"):
        if not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    own = home / str(os.getpid())
    own.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
    return own
