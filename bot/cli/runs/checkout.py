"""`scenarist checkout`: hand a run over to a person."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from bot.cli.options import RunId
from bot.cli.runs.audit import entries_of
from bot.config.settings import load_settings
from bot.log.events import Entry
from bot.log.state import RunState, fold
from bot.report.page.turns import Item, item
from bot.storage.store import Store, open_store
from gherkin.errors import ScenaristError
from runners.contract.job import CHECKPOINT, FEATURE, WORK
from runners.git.command import git, has_commit
from runners.git.local import HistoryMissing, common_dir, git_dir_of
from runners.git.workspaces import work_ref
from runners.policy.plaintext import without_controls

CODE, CONVERSATION, SCENARIOS = "code", "conversation.md", "scenarios.feature"


class NothingToCheckOut(ScenaristError):
    """A run has no work to check out, or the folder or branch for it exists already."""

    code = "SCN-7055"
    next_step = "`scenarist log` shows what the run did; `--into` and `--branch` choose other names."


def checkout(
    run: RunId,
    repo: Annotated[
        Path, typer.Option(help="Your clone of the repository; the worktree becomes one of its worktrees.")
    ] = Path(),
    into: Annotated[Path | None, typer.Option(help="The folder to make; left out: the run's id.")] = None,
    branch: Annotated[str, typer.Option(help="The branch to make; left out: the run's own name.")] = "",
) -> None:
    """Hand a run over to you: its work as a worktree, its conversation and its scenarios.

    Makes a folder with `code` (a worktree of your clone, on the run's branch), `conversation.md` and
    `scenarios.feature`. Commit there and push the branch; the next run on its pull request starts from it.
    """
    entries = entries_of(run)
    state = fold(entries)
    folder = into or Path(run)
    if folder.exists():
        raise NothingToCheckOut(f"{folder} exists already.")
    store = open_store(load_settings().database)
    clone = common_dir(git_dir_of(repo))
    start = _bring(store, run, state, clone)
    name = branch or (state.prepared.branch if state.prepared else "")
    if git("rev-parse", "--verify", "--quiet", f"refs/heads/{name}", git_dir=clone, check=False):
        raise NothingToCheckOut(f"The clone has a branch {name} already.")
    folder.mkdir(parents=True)
    git("worktree", "add", "--quiet", "-b", name, str((folder / CODE).resolve()), start, git_dir=clone)
    (folder / CONVERSATION).write_text(conversation(entries), encoding="utf-8")
    if feature := store.artifact(run, FEATURE):
        (folder / SCENARIOS).write_bytes(feature)
    typer.echo(f"{folder / CODE} is on the branch {name}, at {start[:12]}.")
    typer.echo(_next(state, name))


def _bring(store: Store, run: str, state: RunState, clone: Path) -> str:
    """Bring the run's newest work into a clone; returns the commit to begin with.

    Raises `NothingToCheckOut` and `HistoryMissing`.
    """
    spec, prepared = state.spec, state.prepared
    checkpoint = store.artifact(run, CHECKPOINT) if state.committed is None else None
    bundle = checkpoint or store.artifact(run, WORK)
    if bundle is None or spec is None or prepared is None:
        raise NothingToCheckOut(f"Run {run} has no work yet.")
    if not has_commit(clone, prepared.base):
        raise HistoryMissing(f"This clone lacks the commit {prepared.base[:12]}, from which the run began.")
    ref = work_ref(run)
    with TemporaryDirectory(prefix="scenarist-checkout-") as folder:
        packed = Path(folder) / "work.bundle"
        packed.write_bytes(bundle)
        git("fetch", "--quiet", "--no-tags", str(packed), f"+{ref}:{ref}", git_dir=clone, fsck=True)
    tip = git("rev-parse", ref, git_dir=clone)
    git("update-ref", "-d", ref, git_dir=clone)
    left = state.left.commit if state.left else ""
    pushed = state.published.commit if state.published else left
    if pushed and has_commit(clone, pushed):
        return pushed
    # Scenarios beside the change are in a commit of their own on top, which is never pushed.
    beside = (spec.shadow or not spec.path) and state.committed is not None
    return git("rev-parse", f"{tip}^1", git_dir=clone) if beside else tip


def conversation(entries: Sequence[Entry]) -> str:
    """Return a run's conversation as Markdown."""
    items = [found for entry in entries if (found := item(entry, full=True)) is not None]
    return "# Conversation\n\n" + "\n\n".join(map(_section, items)) + "\n"


def _section(found: Item) -> str:
    mark = f" ({found.mark})" if found.mark else ""
    head = "##" if found.kind == "phase" else "###"
    parts = [f"{head} {' '.join(found.title.split())}{mark}", found.reasoning, found.text]
    if found.output is not None:
        lines = [line.text for line in (*found.output.first, *found.output.last)]
        fence = "`" * max(3, *(len(line) - len(line.lstrip("`")) + 1 for line in lines))
        parts.append("\n".join([fence, *lines, fence]))
    return without_controls("\n\n".join(filter(None, parts)))


def _next(state: RunState, branch: str) -> str:
    pull = state.published.pull if state.published else state.left.pull if state.left else None
    if pull is None:
        return f"Commit there. The run has no pull request: push {branch} and open one yourself."
    return (
        f"Commit there and push {branch}. A review of pull request #{pull}, or `/agent revise` in a comment "
        "on it, then starts a run that begins with your commits."
    )
