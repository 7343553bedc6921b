"""Make the repository of a task: one commit, without the history that contains the later change."""

import fcntl
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.config.repository import FILE, parse_config
from bot.evaluation.task_set import Task
from bot.evaluation.trees import File, Files, Trees
from runners.git.command import git

# The same files give the same commit, so that what is known of it is known again.
_WHEN = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
_BRANCH = "main"


def base_files(task: Task, trees: Trees, settings: Mapping[str, Any]) -> Files:
    """Return the files that runs on `task` start from; `settings` are merged over its `config`.

    Raises `SourceUnavailable` and `ConfigInvalid`.
    """
    files = trees.files(task.base)
    given = merged(task.config, settings)
    if given:
        own = files.pop(FILE, None)
        before = yaml.safe_load(own.data) if own is not None else None
        text = yaml.safe_dump(merged(before if isinstance(before, dict) else {}, given), sort_keys=True)
        parse_config(text)
        files[FILE] = File(text.encode())
    return files


def repository_of(task: Task, folder: Path, files: Files) -> Path:
    """Make the repository of `task` below `folder`, unless it is there; returns its working tree."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = folder / task.id
    with (folder / f"{task.id}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        made = tree / ".git" / "scenarist-eval"
        if not made.exists():
            shutil.rmtree(tree, ignore_errors=True)
            git_dir = tree / ".git"
            git("init", "--quiet", f"--initial-branch={_BRANCH}", str(tree), git_dir=git_dir)
            write(files, tree)
            git("add", "--all", "--force", git_dir=git_dir, work_tree=tree)
            git("commit", "--quiet", "--message", "Begin", git_dir=git_dir, work_tree=tree, env=_WHEN)
            made.touch()
    return tree


def write(files: Files, root: Path) -> None:
    """Write `files` below `root`."""
    for path, file in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.data)
        if file.executable:
            place.chmod(0o755)


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of both; the second one's values win, and mappings are merged."""
    found = dict(first)
    for key, value in second.items():
        before = found.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merged(before, value)
        found[key] = value
    return found
