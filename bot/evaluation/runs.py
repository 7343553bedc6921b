"""Do a task with `scenarist run`, in a process of its own, and read what came of it from the run's log."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from bot.evaluation.attempts import Experiments, GateState, RoleUse
from bot.log.events import Entry
from bot.log.state import RunState
from bot.worker.processes import guarded
from gherkin.errors import ScenaristError
from runners.contract.events import ModelPhase, ModelReplied, ToolCalled
from runners.policy.plaintext import one_line
from runners.verify.findings import Tally
from runners.verify.verdict import Verdict

# Codes of errors that say something about the machine, a server or a registry, and nothing about the models.
_INFRA = ("SCN-1", "SCN-3", "SCN-4", "SCN-6", "SCN-7")
_ROLES: Mapping[ModelPhase, str] = {
    "specify": "analyst",
    "examples": "analyst",
    "remarks": "analyst",
    "split": "analyst",
    "glossary": "analyst",
    "implement": "driver",
    "condense": "driver",
    "navigate": "navigator",
    "review": "reviewer",
    "setup": "setup",
    "critique": "critic",
    "pair": "navigator",
    "node": "node",
    "lookup": "lookup",
}
_SAID = 300


class RunFailed(ScenaristError):
    """A run of `scenarist eval` did not end by itself."""

    code = "SCN-7063"
    next_step = "Read `run.log` in the `state` folder of the results, then run the evaluation again."


class RunEnd(NamedTuple):
    """The output of `scenarist run` at its end: the run's id, its commit on a branch, and the patch file."""

    run: str
    commit: str
    patch: str


class RunProcesses:
    """Runs `scenarist run` for attempts. All of them share the state folder `state`, with their environments.

    `env` are variables of each process, and `seconds` how long one may take. When this process ends in any
    way, the runs end too; they are continued by the next evaluation on the same folder.
    """

    def __init__(self, state: Path, env: Mapping[str, str], seconds: float) -> None:
        self._state = state
        self._env = env
        self._seconds = seconds
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self, repository: Path, issue: Path, number: int, env: Mapping[str, str], *, resume: bool
    ) -> RunEnd:
        """Run the issue `number`; with `resume`, continue its run if there is one.

        `env` are more variables. Raises `RunFailed`.
        """
        words = ["run", "--repo", str(repository), "--issue", str(issue), "--number", str(number)]
        own = {name: value for name, value in os.environ.items() if name != "SCENARIST_DATABASE_URL"}
        more = ["--resume"] if resume else []
        command = [sys.executable, "-m", "bot", *words, *more, "--approve", "--json"]
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                guarded(command),
                cwd=repository.parent,
                env={**own, **self._env, **env, "SCENARIST_STATE_DIR": str(self._state)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            out, err = _output(process, self._seconds)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"The run did not end within {self._seconds:.0f} s.") from None
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            raise KeyboardInterrupt
        try:
            said = json.loads(out)
            return RunEnd(said["run"], said["commit"], said["patch"])
        except (ValueError, LookupError, TypeError):
            last = one_line(err.strip().rpartition("\n")[2])[:_SAID]
            raise RunFailed(f"`scenarist run` ended with status {process.returncode}: {last}") from None

    def stop(self) -> None:
        """Kill all runs; they are continued later."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _end(process)


def _output(process: "subprocess.Popen[str]", seconds: float) -> tuple[str, str]:
    """Wait for the end; standard input stays open, since its end would end the run."""
    found = {}

    def read(name: str) -> None:
        found[name] = getattr(process, name).read()

    readers = [threading.Thread(target=read, args=(name,), daemon=True) for name in ("stdout", "stderr")]
    for each in readers:
        each.start()
    process.wait(timeout=seconds)
    for each in readers:
        each.join()
    return found["stdout"], found["stderr"]


def _end(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def infra_reason(state: RunState) -> str:
    """Return why a run says nothing about the models, from its log; empty: it does."""
    if state.status == "failed" and state.code.startswith(_INFRA):
        return f"{state.code} {state.reason}"
    return "" if state.status != "cancelled" else "the run was cancelled"


def gate_of(verdict: Verdict | None) -> GateState:
    """Return the state of the run's last verdict."""
    return verdict.status if verdict is not None else "none"


def experiments_of(verdict: Verdict | None) -> Experiments:
    """Return what the experiments of a verdict found, added up over its scenarios."""
    if verdict is None:
        return Experiments()
    found = [each.findings for each in (*verdict.scenarios, *verdict.tests)]
    bite = verdict.bite
    return Experiments(
        flips=_sum(each.flips for each in found),
        sabotage=_sum(each.sabotage for each in found),
        held_out=_sum(each.held_out for each in found),
        mutants=Tally(good=bite.killed, tried=bite.tried) if bite else Tally(),
    )


def _sum(tallies: Iterable[Tally]) -> Tally:
    known = list(tallies)
    return Tally(good=sum(each.good for each in known), tried=sum(each.tried for each in known))


def uses_of(entries: Iterable[Entry]) -> tuple[RoleUse, ...]:
    """Return what each model used in each role."""
    found: dict[tuple[str, str], RoleUse] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, ModelReplied):
            key = _ROLES[event.phase], event.runtime or event.reply.model
            before = found.get(key, RoleUse(role=key[0], model=key[1]))
            usage = event.reply.usage
            found[key] = before.model_copy(
                update={
                    "turns": before.turns + 1,
                    "tokens": before.tokens + usage.prompt_tokens + usage.completion_tokens,
                    "cost": before.cost + event.cost,
                }
            )
    return tuple(found.values())


def refusal_of(state: RunState, entries: Iterable[Entry]) -> Literal["", "ask", "give_up"]:
    """Return how the model refused the task: with a question, by giving up, or not at all."""
    if state.status == "needs_info":
        return "ask"
    last = ""
    for entry in entries:
        if isinstance(entry.event, ToolCalled):
            last = entry.event.call.name
    return "give_up" if state.status == "gave_up" and last == "give_up" else ""
