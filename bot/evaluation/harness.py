"""Try the tasks of a set: the attempts that are not there yet, several at a time."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.config.settings import Settings
from bot.evaluation.attempts import About, EvalResults, TaskAttempt
from bot.evaluation.judge import Judge
from bot.evaluation.repositories import base_files, repository_of
from bot.evaluation.runs import (
    RunEnd,
    RunProcesses,
    experiments_of,
    gate_of,
    infra_reason,
    refusal_of,
    uses_of,
)
from bot.evaluation.task_set import EvalSet, Task
from bot.evaluation.trees import SourceUnavailable, Trees
from bot.log.events import Entry
from bot.log.state import fold
from bot.storage.database import migrate
from bot.storage.store import open_store
from bot.worker.local_runs import clone_name
from gherkin.errors import ScenaristError
from runners.git.command import git
from runners.git.workspaces import Workspaces
from runners.sandbox.scratch import make_state_folder


@dataclass(frozen=True)
class EvalOptions:
    """How a set is tried.

    `models` is the name of the models in reports, and `env` the variables that choose them. With
    `recordings` each attempt replays ``TASK.SEED.jsonl`` or ``TASK.jsonl`` of that folder. `config` are keys
    of `.scenarist.yml` for all tasks, `jobs` how many attempts run at a time, `seconds` how long one may
    take. With `again` attempts whose infrastructure failed are made again.
    """

    models: str
    out: Path
    env: Mapping[str, str] = field(default_factory=dict)
    recordings: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 1
    jobs: int = 1
    seconds: float = 7200.0
    clones: Path | None = None
    again: bool = False


class Harness:
    """Tries the tasks of `chosen` and stores each attempt in `results` when it has ended."""

    def __init__(self, chosen: EvalSet, options: EvalOptions, settings: Settings) -> None:
        self.results = EvalResults(options.out.resolve())
        self._set = chosen
        self._options = options
        self._settings = settings
        self._state = self.results.folder / "state"
        self._trees = Trees(
            self.results.folder / "sources",
            chosen.place,
            clones=options.clones,
            unsafe=settings.unsafe_no_sandbox,
        )
        self._runner = RunProcesses(self._state, options.env, options.seconds)
        self._adding = threading.Lock()
        self._failed: set[tuple[str, int]] = set()

    def run(self, ended: Callable[[TaskAttempt], None]) -> list[TaskAttempt]:
        """Make all attempts that are missing; `ended` is called with each one. Returns all that there are.

        Raises `ResultInvalid` where the folder holds the results of something else.
        """
        self.results.begin(self._about())
        make_state_folder(self._state)
        self._store = open_store(f"sqlite:///{self._state / 'scenarist.db'}")
        migrate(self._store.engine)
        due = self._due()
        with ThreadPoolExecutor(self._options.jobs, "attempt") as pool:
            try:
                for future in as_completed([pool.submit(self._attempt, *each) for each in due]):
                    ended(future.result())
            except BaseException:
                self._runner.stop()
                pool.shutdown(cancel_futures=True)
                raise
        wanted = {task.id for task in self._set.tasks}
        return [each for each in self.results.attempts() if each.task in wanted]

    def _about(self) -> About:
        return About(
            set_name=self._set.name,
            models=self._options.models,
            seeds=self._options.seeds,
            mode=mode_of(self._options.config),
            tasks={task.id: _digest(task) for task in self._set.tasks},
        )

    def _due(self) -> list[tuple[Task, int]]:
        before = self.results.attempts()
        if self._options.again:
            self._failed = {(each.task, each.seed) for each in before if each.infra}
        there = {(each.task, each.seed) for each in before} - self._failed
        # All tasks once before the second seed of any: an early look at the results says more.
        every = [(task, seed) for seed in range(1, self._options.seeds + 1) for task in self._set.tasks]
        return [(task, seed) for task, seed in every if (task.id, seed) not in there]

    def _attempt(self, task: Task, seed: int) -> TaskAttempt:
        attempt = self._tried(task, seed)
        with self._adding:
            self.results.add(attempt)
        return attempt

    def _tried(self, task: Task, seed: int) -> TaskAttempt:
        started = time.monotonic()
        empty = TaskAttempt(
            task=task.id,
            seed=seed,
            kind=task.kind,
            impossible=bool(task.impossible),
            mode=mode_of({**task.config, **self._options.config}),
        )
        try:
            files = base_files(task, self._trees, self._options.config)
            hidden = self._trees.laid(task.hidden.files) if task.hidden else {}
            repository = repository_of(task, self.results.folder / "repositories", files)
            issue = self.results.folder / "repositories" / f"{task.id}.md"
            issue.write_text(task.issue, encoding="utf-8")
            # A run that the infrastructure ended has no more to continue.
            resume = (task.id, seed) not in self._failed
            ended = self._runner.run(repository, issue, seed, self._models(task, seed), resume=resume)
            took = time.monotonic() - started
            entries = self._store.entries(ended.run)
            attempt = self._read(empty, ended, entries, repository)
            if hidden and not attempt.infra and attempt.patch:
                judge = Judge(
                    Workspaces(self._state),
                    self._settings.command_limits,
                    unsafe=self._settings.unsafe_no_sandbox,
                )
                mirror = Workspaces(self._state).mirror("local", clone_name(repository))
                tests = task.hidden.tests if task.hidden else ()
                judged = judge.judge(repository, mirror, attempt.patch, hidden, tests)
                attempt = attempt.model_copy(update={"hidden": judged})
            return attempt.model_copy(update={"wall_s": round(took, 1)})
        except ScenaristError as error:
            took = time.monotonic() - started
            return empty.model_copy(update={"infra": str(error), "wall_s": round(took, 1)})

    def _models(self, task: Task, seed: int) -> dict[str, str]:
        """Return the variables that choose the models of one attempt. Raises `SourceUnavailable`."""
        folder = self._options.recordings
        if folder is None:
            return {}
        names = (f"{task.id}.{seed}.jsonl", f"{task.id}.jsonl")
        found = next((folder / name for name in names if (folder / name).is_file()), None)
        if found is None:
            raise SourceUnavailable(f"{folder} has no recording {names[1]}.")
        return {"SCENARIST_RUNTIME": "replay", "SCENARIST_RECORDING": str(found.resolve())}

    def _read(
        self, empty: TaskAttempt, ended: RunEnd, entries: Sequence[Entry], repository: Path
    ) -> TaskAttempt:
        state = fold(entries)
        patch = ""
        if ended.commit:
            words = ("diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", ended.commit)
            patch = git(*words, git_dir=repository / ".git")
        elif ended.patch:
            patch = Path(ended.patch).read_text(encoding="utf-8", errors="surrogateescape")
        spent = state.spent
        return empty.model_copy(
            update={
                "run": ended.run,
                "status": state.status,
                "gate": gate_of(state.verdict),
                "refused": refusal_of(state, entries),
                "reason": state.reason,
                "infra": infra_reason(state),
                "turns": spent.turns,
                "tokens": spent.tokens,
                "cost": spent.cost,
                "uses": uses_of(entries),
                "experiments": experiments_of(state.verdict),
                "patch": patch.encode(errors="replace").decode(),
            }
        )


def _digest(task: Task) -> str:
    return hashlib.sha256(task.model_dump_json().encode()).hexdigest()[:16]


def mode_of(config: Mapping[str, Any]) -> str:
    """Return how runs with these keys of `.scenarist.yml` use models: `solo`, `pair`, `3 candidates`…"""
    mode, candidates = config.get("mode"), config.get("candidates")
    count = candidates.get("count", 1) if isinstance(candidates, Mapping) else 1
    parts = [str(mode)] if mode else []
    if count > 1:
        parts.append(f"{count} candidates")
    return ", ".join(parts) or "solo"
