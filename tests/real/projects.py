"""The list of projects, and how each becomes a git repository on this machine."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import yaml
from pydantic import Field

from gherkin.values import Frozen

CACHE = Path(__file__).parents[2] / ".cache" / "real"
_LIST = Path(__file__).parent / "projects.yml"
# What builds the metadata of source distributions: `pip download` asks for it.
_BACKENDS = (
    "pip==26.1.2",
    "setuptools==80.9.0",
    "setuptools-scm==9.2.2",
    "wheel==0.45.1",
    "hatchling==1.29.0",
    "hatch-vcs==0.5.0",
    "hatch-fancy-pypi-readme==25.1.0",
    "flit-core==3.12.0",
    "poetry-core==2.5.0",
    "pdm-backend==2.4.5",
    "uv-build==0.11.0",
    "cython==3.2.4",
    "expandvars==1.1.2",
)


class Project(Frozen):
    """One project of the list; `docs/compatibility.md` shows its `shape`."""

    name: str
    version: str
    sha256: str = Field(description="Of the archive, in hex.")
    shape: str = Field(description="What it stands for.")
    registry: str = "pypi"
    module: str = Field(description="A file that the right change adds a function to.")
    breaks: str = Field(
        description="`FILE::FUNCTION` (`FILE::CLASS.METHOD`) that the wrong change makes raise."
    )
    test: str = Field(description="Where the test of the right change goes.")
    unittest: bool = Field(default=False, description="Whether that is a `TestCase`; else a function.")
    named: str = Field(default="test_scenarist_probe", description="What that function is called.")


def load() -> list[Project]:
    """The projects of the list, in its order."""
    return [Project.model_validate(each) for each in yaml.safe_load(_LIST.read_text())]


def fetch(project: Project) -> Path:
    """The archive of a project, from the cache of this checkout or from the registry.

    Raises `ValueError` for another hash.
    """
    folder = CACHE / "archives" / f"{project.name}-{project.version}"
    found = next(iter(folder.glob("*")), None) if folder.is_dir() else None
    if found is None:
        with tempfile.TemporaryDirectory(prefix="scenarist-real-") as tmp:
            _download(project, Path(tmp))
            found = next(Path(tmp).glob("*"))
            folder.mkdir(parents=True, exist_ok=True)
            found = Path(shutil.copy(found, folder))
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    if digest != project.sha256:
        raise ValueError(f"{found.name} has the hash {digest}, and not the one of the list.")
    return found


def _download(project: Project, folder: Path) -> None:
    if project.registry == "npm":
        command = ["npm", "pack", "--silent", f"{project.name}@{project.version}"]
    else:
        pip = [
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "--dest",
            ".",
        ]
        command = [
            *("uv", "run", "--quiet", "--no-project"),
            *(word for each in _BACKENDS for word in ("--with", each)),
            *("python", "-m", "pip", *pip, f"{project.name}=={project.version}"),
        ]
    subprocess.run(command, cwd=folder, check=True)


def repository(project: Project, folder: Path) -> str:
    """Make the project's first commit in a new repository in the empty `folder`; returns the commit's id.

    It looks as it would at its forge: what the packaging added is left out, and a tag names the version.
    """
    with tempfile.TemporaryDirectory(prefix="scenarist-real-") as tmp:
        with tarfile.open(fetch(project)) as archive:
            archive.extractall(tmp, filter="data")
        (root,) = Path(tmp).iterdir()
        for each in root.iterdir():
            if each.name != "PKG-INFO" and not each.name.endswith(".egg-info"):
                shutil.move(each, folder / each.name)
    for egg in folder.rglob("*.egg-info"):
        shutil.rmtree(egg)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    first = commit(folder, "The project as it was released")
    git(folder, "tag", f"v{project.version}")
    return first


def commit(folder: Path, message: str) -> str:
    """Commit everything in `folder`; returns the commit's id."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *words: str) -> str:
    """Run git as somebody who has no settings of their own."""
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org"}
    who |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **who, **plain},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
