"""The time of tool calls on a repository of 10,000 files, and of 1,000 calls with the audit trail."""

import json
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runners.contract.events import ToolCalled
from runners.git.command import git
from runners.git.model_git import TreeGit
from runners.loop.audit import Trail, verify
from runners.loop.calls import Caller
from runners.models.chat import ToolCall
from runners.policy.capabilities import Policy
from runners.policy.quota import Meter, Quotas
from runners.policy.redact import Redactor
from runners.sandbox.bubblewrap import Sandbox
from runners.tools import FULL_TOOLS
from runners.tools.base import Toolbox, ToolContext, ToolResult

_FILES = 10_000
_ROUNDS = 30
_CALLS = 1_000
_BODY = "def function_{n}(a, b):\n    return a + b + {n}\n\n\n" * 10


def run(console: Console) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as tmp:
        context = _context(Path(tmp))
        tools = _tools(context)
        table = Table(title=f"A call on a repository of {_FILES:,} files, {_ROUNDS} times each, milliseconds")
        for column in ("", "median", "p95"):
            table.add_column(column, justify="left" if not column else "right")
        for name, arguments in (
            ("read_file", {"path": "p7/q7/f7777.py"}),
            ("edit_file", {"path": "p7/q7/f7777.py", "old": "", "new": ""}),
            ("search", {"pattern": "function_7777", "path": "p7/q7"}),
            ("search", {"pattern": "function_7777"}),
            ("glob", {"pattern": "f7777.py"}),
            ("git_status", {}),
        ):
            times = [_timed(tools, name, arguments, turn) for turn in range(_ROUNDS)]
            shown = f"{name} (a folder)" if "path" in arguments and name == "search" else name
            p95 = statistics.quantiles(times, n=20)[-1]
            table.add_row(shown, f"{statistics.median(times):.2f}", f"{p95:.2f}")
        console.print(table)
        tools = _tools(context)
        started = time.perf_counter()
        entries: list[ToolCalled] = []
        for turn in range(_CALLS):
            entries += tools.run([_call("read_file", {"path": f"p{turn % 10}/q0/f{turn % 10}.py"})], None)
        seconds = time.perf_counter() - started
        holds = verify(entries) is None
        checked = time.perf_counter() - started - seconds
        console.print(
            f"{_CALLS:,} tool calls with policy, quotas and audit trail: {seconds:.2f} s, "
            f"{1000 * seconds / _CALLS:.2f} ms "
            f"each; the trail holds: {holds}, checked in {1000 * checked:.0f} ms\n"
        )


def _context(folder: Path) -> ToolContext:
    root, git_dir = folder / "tree", folder / "repo.git"
    for number in range(_FILES):
        path = root / f"p{number % 10}" / f"q{number // 10 % 10}" / f"f{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_BODY.format(n=number))

    def run_git(*args: str) -> str:
        return git(*args, git_dir=git_dir, work_tree=root)

    def stage() -> None:
        run_git("add", "--all")

    run_git("init", "--quiet")
    stage()
    run_git("commit", "--quiet", "--message", "all")
    return ToolContext(
        root=root,
        sandbox=Sandbox(root),
        git=TreeGit(run_git, stage, run_git("rev-parse", "HEAD")),
        run_tests=lambda _: ToolResult(ok=True, text=""),
        policy=Policy(role="full"),
    )


def _tools(context: ToolContext) -> Caller:
    wide = Quotas(tool_calls=1_000_000)
    return Caller(Toolbox(FULL_TOOLS), context, Trail("full", Redactor()), Meter(wide, wide))


def _call(name: str, arguments: dict[str, object]) -> ToolCall:
    return ToolCall(id="1", name=name, arguments=json.dumps(arguments))


def _timed(tools: Caller, name: str, arguments: dict[str, object], turn: int) -> float:
    if name == "edit_file":
        if turn == 0:
            text = "x = 0\n" + "y = 1\n" * 400
            tools.run([_call("write_file", {"path": arguments["path"], "content": text})], None)
        arguments = {**arguments, "old": f"x = {turn}\n", "new": f"x = {turn + 1}\n"}
    started = time.perf_counter()
    [entry] = tools.run([_call(name, arguments)], None)
    took = (time.perf_counter() - started) * 1000
    if not entry.ok:
        raise RuntimeError(f"{name}: {entry.text}")
    return took
