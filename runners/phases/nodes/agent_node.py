"""An operator's agent: a model with the operator's instructions that reads the change and answers in a
form.
"""

import threading
import time
from collections.abc import Sequence
from typing import Any

from runners.contract.events import NodeReported, Remark, RunnerEvent, ToolCalled
from runners.contract.job import FEATURE, Job
from runners.contract.nodes import AgentNode, NodeOutcome
from runners.git.command import PLAIN, git
from runners.git.model_git import TreeGit
from runners.git.workspaces import Worktree
from runners.loop.asking import ask, with_form
from runners.loop.audit import GENESIS, Trail
from runners.loop.conversation import as_message
from runners.loop.prompting import node_prompt
from runners.loop.services import Services
from runners.loop.single_requests.review import place_of
from runners.models.chat import Message, ToolCall
from runners.models.json_answers import read_json
from runners.phases.given.checkout import background_of
from runners.phases.given.toolkit import policy_of
from runners.policy.plaintext import one_line
from runners.repository.passages import Documents
from runners.sandbox.bubblewrap import Sandbox
from runners.tools import DOCUMENT_TOOLS, READ_TOOLS
from runners.tools.base import Toolbox, ToolContext, ToolResult

_MOST = 12
_OUTCOMES: dict[str, NodeOutcome] = {"done": "done", "red": "red"}
_MAX_TEXT = 1000
_FINDINGS: dict[str, Any] = {
    "type": "array",
    "maxItems": _MOST,
    "items": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "A file of the change, or empty."},
            "line": {"type": "integer", "description": "A line of it with the change; 0: none."},
            "text": {"type": "string", "description": "One to three sentences."},
        },
        "required": ["path", "line", "text"],
        "additionalProperties": False,
    },
}


def schema_of(node: AgentNode) -> dict[str, Any]:
    """Return the form of the agent's answer, with the operator's own properties."""
    own = {"outcome": {"type": "string", "enum": ["done", "red"]}, "findings": _FINDINGS}
    properties = {**node.output, **own}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


class Recorder:
    """Logs what agents do; those of a parallel node share one, because the audit trail is one chain."""

    def __init__(self, job: Job, services: Services) -> None:
        called = [event for event in job.events if isinstance(event, ToolCalled) and not event.candidate]
        policy = policy_of(job, services)
        self._trail = Trail(policy.role, services.redactor, called[-1].hash or GENESIS if called else GENESIS)
        self._log = services.log
        self._lock = threading.Lock()

    def replied(self, event: RunnerEvent) -> None:
        """Log a reply."""
        self._log([event])

    def called(self, calls: Sequence[ToolCalled]) -> Sequence[ToolCalled]:
        """Log calls as the next entries of the audit trail; returns the entries."""
        with self._lock:
            entries = [self._trail.entry(call) for call in calls]
            self._log(entries)
        return entries


def asked(
    job: Job,
    services: Services,
    node: AgentNode,
    tree: Worktree,
    sandbox: Sandbox,
    head: str,
    recorder: Recorder,
) -> NodeReported:
    """Let the agent of `job.node` read the change at `head` in the checkout `tree`, and return its answer.

    An agent without a usable answer is ``red``. Raises what `ChatModel.reply` raises.
    """
    started = time.monotonic()
    context = ToolContext(
        root=tree.root,
        sandbox=sandbox,
        git=TreeGit(tree.git, tree.stage, job.base),
        run_tests=lambda _paths: ToolResult(ok=False, text="There are no tests to run here."),
        policy=policy_of(job, services),
        cancel=services.cancel,
        redactor=services.redactor,
        resources=(Documents(tree.mirror.path, job.base),),
    )
    toolbox = Toolbox([tool for tool in (*READ_TOOLS, *DOCUMENT_TOOLS) if tool.name in node.tools])
    schema = schema_of(node)
    messages = with_form(
        node_prompt(
            job.run_id,
            job.order,
            background_of(job, tree.mirror),
            instructions=node.prompt,
            diff=git("diff", *PLAIN, job.base, head, git_dir=tree.mirror.path),
            feature=(services.artifact(FEATURE) or b"").decode(errors="replace"),
        ),
        schema,
    )
    spent, problem, model = job.spent, "it used all of its replies", ""
    for left in reversed(range(node.turns)):
        if over := spent.over(job.settings.budget):
            problem = f"the run has used its {over}"
            break
        replied = ask(
            services.models.engine(node.role),
            "node",
            messages,
            tools=toolbox.schemas() if left else (),
            cancel=services.cancel,
            redactor=services.redactor,
        )
        recorder.replied(replied)
        spent = spent.after(replied.reply.usage, replied.seconds, replied.cost)
        model = replied.reply.model
        messages.append(as_message(replied.reply))
        if replied.reply.tool_calls:
            calls = [_called(job, toolbox, context, call) for call in replied.reply.tool_calls]
            made = recorder.called(calls)
            messages += [Message(role="tool", text=each.text, tool_call_id=each.call.id) for each in made]
            continue
        try:
            given = read_json(replied.reply)
            findings = tuple(_finding(each, tree, head) for each in given["findings"][:_MOST])
            return NodeReported(
                node=job.node,
                head=head,
                outcome=_OUTCOMES[given["outcome"]],
                findings=findings,
                data={name: given[name] for name in node.output},
                model=model,
                seconds=round(time.monotonic() - started, 3),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"its answer could not be read: {one_line(str(error))}"
            again = f"Your answer is not valid: {problem}. Answer again."
            messages.append(Message(role="user", text=again))
    return NodeReported(
        node=job.node,
        head=head,
        outcome="red",
        text=f"The agent gave no valid answer: {problem}.",
        model=model,
        seconds=round(time.monotonic() - started, 3),
    )


def _called(job: Job, toolbox: Toolbox, context: ToolContext, call: ToolCall) -> ToolCalled:
    """Run one call; the event is not in the audit trail yet."""
    started = time.monotonic()
    result = toolbox.call(context, call)
    return ToolCalled(
        call=call,
        ok=result.ok,
        text=result.text,
        seconds=round(time.monotonic() - started, 3),
        capability=toolbox.capability(call.name),
        denied=result.denied,
        data=result.data,
        node=job.node,
    )


def _finding(given: Any, tree: Worktree, head: str) -> Remark:
    path, line = place_of(tree.mirror, head, str(given["path"]), int(given["line"]))
    return Remark(path=path, line=line, text=one_line(str(given["text"]), _MAX_TEXT), serious=True)
