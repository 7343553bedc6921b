"""The state folder of a worker, which only the worker's account may enter.

Temporary files lie below it; the next start removes those of dead processes.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from gherkin.errors import ScenaristError
from runners.sandbox.mounts import shown_places

# Names that mark a folder as a state folder. Those made by an earlier version are open to other accounts.
_OURS = ("scenarist.db", "mirrors", "work", "up.lock")


class StateFolderShown(ScenaristError):
    """Every sandbox would show the state folder."""

    code = "SCN-3003"
    next_step = "Set SCENARIST_STATE_DIR to a folder outside of /usr and of the Python that runs Scenarist."


def make_state_folder(folder: Path) -> Path:
    """Make the state folder, which only this account may enter; returns its absolute path.

    An existing state folder that other accounts can enter is closed to them. Raises `StateFolderShown` when
    sandboxes would show the folder, for example in the virtual environment: it holds the database and the
    work of all runs.
    """
    place = folder.resolve()
    shown = next((each for each in shown_places() if place.is_relative_to(each)), None)
    if shown is not None:
        raise StateFolderShown(f"The state folder {place} lies in {shown}, which every sandbox shows.")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.mkdir(mode=0o700)
    except FileExistsError:
        status = place.stat()
        ours = any((place / name).exists() for name in _OURS) or not any(place.iterdir())
        open_to_others = stat.S_IMODE(status.st_mode) & 0o077
        if ours and open_to_others and status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX:
            place.chmod(0o700)
    return place


def use_private_tmp(state_dir: Path) -> Path:
    """Make and return a folder for this process's temporary files, and remove the folders of dead processes.

    Child processes use the same folder through ``TMPDIR``. Raises `StateFolderShown`.
    """
    home = make_state_folder(state_dir) / "tmp"
    for folder in home.glob("*"):
        if not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    own = home / str(os.getpid())
    own.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
    return own
