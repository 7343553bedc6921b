"""Side by side and in order, quotas, and what reaches the audit trail."""

import threading
from pathlib import Path

import pytest

from gherkin.errors import Cancelled
from runners.loop.audit import Trail, verify
from runners.loop.calls import Caller
from runners.policy.capabilities import Grants, Policy
from runners.policy.quota import Meter, Quotas, Usage
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.process import CommandResult
from runners.tools.base import Arguments, Tool, Toolbox, ToolContext, ToolResult
from tests.support.tool_context import asked, caller, context
from tests.support.waiting import HANG_S


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    return context(tmp_path)


class Nothing(Arguments):
    pass


def meeting(name: str, barrier: threading.Barrier, *, writes: bool) -> Tool[Nothing]:
    """A tool that ends only when as many calls as the barrier wants are under way at once."""

    def meet(ctx: ToolContext, args: Nothing) -> ToolResult:
        try:
            # Calls one after the other never meet, however long they wait.
            barrier.wait(0.2 if writes else HANG_S)
        except threading.BrokenBarrierError:
            return ToolResult(ok=False, text="alone")
        return ToolResult(ok=True, text="together")

    return Tool(name, "Meet.", Nothing, meet, "files.write" if writes else "files.read", writes)


def run_together(ctx: ToolContext, *, writes: bool) -> list[str]:
    barrier = threading.Barrier(3)
    box = Toolbox([meeting("meet", barrier, writes=writes)])
    tools = Caller(box, ctx, Trail("edit", ctx.redactor), Meter(Quotas(), Quotas()))
    return [entry.text for entry in tools.run([asked("meet")] * 3, None)]


def test_reading_calls_run_side_by_side(ctx: ToolContext) -> None:
    assert run_together(ctx, writes=False) == ["together"] * 3


def test_writing_calls_run_one_after_the_other(ctx: ToolContext) -> None:
    assert run_together(ctx, writes=True) == ["alone"] * 3


def test_the_order_of_reading_and_writing_is_kept(ctx: ToolContext) -> None:
    made = caller(ctx).run(
        [
            asked("read_file", path="a"),
            asked("write_file", path="a", content="one\n"),
            asked("read_file", path="a"),
            asked("file_info", path="a"),
            asked("write_file", path="a", content="two\n"),
            asked("read_file", path="a"),
        ],
        None,
    )
    assert [entry.ok for entry in made] == [False, True, True, True, True, True]
    assert "one" in made[2].text and "4 bytes" in made[3].text and "two" in made[5].text
    assert verify(made) is None


def test_an_entry_says_who_what_and_with_which_result(ctx: ToolContext) -> None:
    tools = caller(ctx)
    token = "ghs_" + "a1B2" * 9
    [ran, wrong] = tools.run(
        [asked("shell", command=f"echo {token}; echo PASSWORD=x; exit 3"), asked("nothing")], None
    )
    assert (ran.role, ran.capability, ran.ok, ran.denied) == ("full", "shell.run", False, False)
    assert ran.data["exit_code"] == 3 and ran.seconds > 0 and ran.usage.tool_calls == 1
    assert token not in ran.model_dump_json() and "PASSWORD=[redacted]" in ran.call.arguments
    assert (wrong.capability, wrong.ok) == ("", False)
    assert tools.audit_head == wrong.hash


def test_a_denial_is_an_answer_and_stands_in_the_trail(ctx: ToolContext, tmp_path: Path) -> None:
    denying = ToolContext(
        **{
            **ctx.__dict__,
            "policy": Policy(role="full", repository=Grants(deny=("shell.run",)), protected=("*.lock",)),
        }
    )
    [shell, locked] = caller(denying).run(
        [asked("shell", command="touch x"), asked("write_file", path="uv.lock", content="")], None
    )
    assert shell.denied and shell.text == "The repository denies `shell.run`. Reach the goal without it."
    assert locked.denied and "`uv.lock` is protected" in locked.text
    assert list(ctx.root.iterdir()) == []


def test_cancelling_stops_between_calls(ctx: ToolContext) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        caller(ctx).run([asked("git_status")], cancel)


def test_a_quota_warns_once_and_then_ends(ctx: ToolContext) -> None:
    tools = caller(ctx, Quotas(tool_calls=5))
    texts = [tools.run([asked("git_status")], None)[0].text for _ in range(5)]
    assert ["[quota:" in text for text in texts] == [False, False, False, True, False]
    assert "four fifths of the 5 tool calls of this phase, 5 tool calls of this run are used" in texts[3]
    assert tools.over == "quota of 5 tool calls a run"
    assert "Not run" in tools.run([asked("git_status")], None)[0].text


def test_what_commands_use_is_counted(tmp_path: Path) -> None:
    meter = Meter(Quotas(), Quotas())
    work = tmp_path / "w"
    work.mkdir()
    sandbox = Sandbox(work, ended=meter.command)
    sandbox.run(["bash", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"])
    sandbox.run(["bash", "-c", "head -c 3000000 /dev/zero"])
    sandbox.run(["python3", "-c", "x = bytearray(100_000_000)"])
    used = meter.close(1.5)
    assert used.cpu_seconds > 0.1
    assert used.output_mb == pytest.approx(3_000_000 / (1 << 20), abs=0.01)
    assert used.memory_mb > 95
    assert (used.tool_calls, used.tool_seconds) == (1, 1.5)
    assert meter.close(0).cpu_seconds == 0


def test_each_of_several_calls_side_by_side_is_charged_for_its_own_commands(ctx: ToolContext) -> None:
    meter = Meter(Quotas(), Quotas())
    barrier = threading.Barrier(2)

    def working(name: str, cpu_s: float) -> Tool[Nothing]:
        def work(ctx: ToolContext, args: Nothing) -> ToolResult:
            meter.command(CommandResult(exit_code=0, output="", cpu_s=cpu_s))
            barrier.wait(HANG_S)  # both have used theirs before either ends
            return ToolResult(ok=True, text="done")

        return Tool(name, "Work.", Nothing, work, "files.read", False)

    box = Toolbox([working("little", 1.0), working("much", 8.0)])
    tools = Caller(box, ctx, Trail("edit", ctx.redactor), meter)
    entries = tools.run([asked("little"), asked("much")], None)
    assert [each.usage.cpu_seconds for each in entries] == [1.0, 8.0]


def test_a_resumed_run_has_used_what_it_used_before() -> None:
    meter = Meter(Quotas(output_mb=10), Quotas(), [Usage(output_mb=6), Usage(output_mb=5)])
    assert meter.over() == "quota of 10 output MiB a run"
    assert Meter(Quotas(output_mb=12), Quotas(), [Usage(output_mb=6), Usage(output_mb=5)]).over() is None


def test_quotas_are_never_wider_than_the_operators() -> None:
    assert Quotas(tool_calls=900, disk_mb=10).within(Quotas(tool_calls=50)) == Quotas(
        tool_calls=50, disk_mb=10
    )
