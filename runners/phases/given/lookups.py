"""MCP tools for roles that answer in one request: they look things up first, and read the results with the
request."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from runners.contract.events import RunnerEvent, ToolCalled
from runners.contract.job import Job
from runners.git.model_git import TreeGit
from runners.git.workspaces import Mirror
from runners.loop.audit import GENESIS, Trail
from runners.loop.calls import Caller
from runners.loop.conversation import as_message
from runners.loop.prompting import lookups_prompt
from runners.loop.services import Services
from runners.models.chat import Message
from runners.models.runtimes import ModelRole
from runners.phases.given.toolkit import policy_of
from runners.policy.quota import Meter
from runners.sandbox.bubblewrap import Sandbox
from runners.tools.base import Toolbox, ToolContext, ToolResult
from runners.tools.mcp.servers import McpCatalog, McpServers

# Requests that may ask for calls, and calls of each of them.
ROUNDS = 4
_CALLS = 8
_OFFER = (
    "Before you answer, you may call these tools to look up what you need to know. Call what you need now. "
    "If you need nothing more, say so without a call; then you are asked for your answer."
)


def looked_up(
    job: Job,
    services: Services,
    role: ModelRole,
    messages: Sequence[Message],
    *,
    lend: Callable[[], contextlib.AbstractContextManager[Caller]],
    log: Callable[[Sequence[RunnerEvent]], None],
) -> list[Message]:
    """Let `role` call the tools of its MCP servers; returns `messages` with what it found, as data.

    Without servers nothing is asked. `lend` gives the checkout, quotas and audit trail that its calls go
    through, and `log` stores replies and calls at once. Raises what `ChatModel.reply` raises.
    """
    names = services.models.agent(role).mcp if services.models.has(role) else ()
    if not names:
        return list(messages)
    catalog = next((each for each in services.resources if isinstance(each, McpCatalog)), McpCatalog())
    with lend() as caller:
        found = McpServers(
            catalog,
            names,
            caller.context.root,
            services.cancel,
            caller.count,
            unsafe=services.unsafe_no_sandbox,
        )
        with found as servers:
            toolbox = Toolbox(servers.tools(caller.context.policy))
            made = _rounds(job, services, role, messages, caller.lent(toolbox, role), log)
    if not made:
        return list(messages)
    said = [f"{each.call.name} {each.call.arguments}\n{each.text}" for each in made]
    return [*messages, lookups_prompt(job.run_id, said)]


def _rounds(
    job: Job,
    services: Services,
    role: ModelRole,
    messages: Sequence[Message],
    caller: Caller,
    log: Callable[[Sequence[RunnerEvent]], None],
) -> list[ToolCalled]:
    """Ask for calls and make them until none is wanted; returns them."""
    asking = [*messages, Message(role="user", text=_OFFER)]
    made: list[ToolCalled] = []
    spent, tools = job.spent, caller.toolbox.schemas()
    for _ in range(ROUNDS if tools else 0):
        if spent.over(job.settings.budget) or caller.over:
            break
        replied = services.ask(role, "lookup", asking, tools=tools)
        log([replied])
        spent = spent.after(replied.reply.usage, replied.seconds, replied.cost)
        calls = replied.reply.tool_calls[:_CALLS]
        if not calls:
            break
        new = caller.run(calls, services.cancel)
        log(new)
        made += new
        reply = replied.reply.model_copy(update={"tool_calls": calls})
        asking.append(as_message(reply))
        asking += [Message(role="tool", text=each.text, tool_call_id=each.call.id) for each in new]
    return made


def lending(
    job: Job, services: Services, mirror: Mirror, commit: str
) -> Callable[[], contextlib.AbstractContextManager[Caller]]:
    """Return what lends a checkout of `commit` with the run's quotas and audit trail, made when asked for."""
    return partial(_lent, job, services, mirror, commit)


@contextlib.contextmanager
def _lent(job: Job, services: Services, mirror: Mirror, commit: str) -> Iterator[Caller]:
    policy = policy_of(job, services)
    called = [event for event in job.events if isinstance(event, ToolCalled)]
    quotas = job.settings.quotas.within(services.operator.quotas)
    meter = Meter(quotas.run, quotas.phase, (call.usage for call in called))
    trail = Trail(policy.role, services.redactor, called[-1].hash or GENESIS if called else GENESIS)
    with services.workspaces.worktree(mirror, commit, job.work_id, "lookup") as tree:
        context = ToolContext(
            root=tree.root,
            sandbox=Sandbox(tree.root, limits=services.limits, unsafe=services.unsafe_no_sandbox),
            git=TreeGit(tree.git, tree.stage, job.base),
            run_tests=lambda _paths: ToolResult(ok=False, text="There are no tests to run here."),
            policy=policy,
            cancel=services.cancel,
            redactor=services.redactor,
        )
        yield Caller(Toolbox(()), context, trail, meter)
