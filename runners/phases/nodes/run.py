"""The phase that does an operator's node on the present change."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace

from gherkin.errors import ScenaristError
from runners.contract.events import NodeReported, PromptSent, RunnerEvent
from runners.contract.job import WORK, Job, PhaseResult
from runners.contract.nodes import AgentNode, CommandNode, ParallelNode, RunnerNode
from runners.git.command import git
from runners.git.workspaces import Mirror
from runners.loop.services import Services
from runners.phases.given.checkout import environment_of, mirror_of, sandboxes_of, unbundled
from runners.phases.nodes.agent_node import Recorder, asked
from runners.policy.plaintext import cut_middle

_MAX_OUTPUT = 6000
_MAX_REASON = 1500


class NodeUnknown(ScenaristError):
    """A run is at a node that this worker's workflow file does not have."""

    code = "SCN-6007"
    next_step = "Give all workers the same workflow file, then `scenarist retry RUN verify`."


def run_node(job: Job, services: Services, nodes: Mapping[str, RunnerNode]) -> PhaseResult[RunnerEvent]:
    """Do the node `job.node`; its findings go back to the driver.

    Raises `NodeUnknown`, `EnvironmentBroken`, `WorkLost`, and what `ChatModel.reply` raises.
    """
    node = nodes.get(job.node)
    if node is None:
        raise NodeUnknown(f"There is no node {job.node} in this worker's workflow.")
    mirror = mirror_of(job, services)
    head = _head(job, services, mirror)
    recorder = Recorder(job, services)
    if isinstance(node, ParallelNode):
        reports = _parallel(job, services, mirror, head, node, nodes, recorder)
        events: list[RunnerEvent] = []
    else:
        reports = [_done(job, services, mirror, head, job.node, node, recorder)]
        events = [*reports]
    red = [report for report in reports if report.outcome == "red"]
    if not red:
        return PhaseResult("done", events=events)
    text = "\n\n".join(map(as_feedback, red))
    sent = PromptSent(reason="node", text=f"{text}\n\nCorrect it, then call `finish` again.")
    return PhaseResult("red", cut_middle(text, _MAX_REASON), events=[*events, sent])


def _head(job: Job, services: Services, mirror: Mirror) -> str:
    """Return the commit of the present change, or the base if there is none yet."""
    if services.artifact(WORK) is None:
        return job.base
    work = unbundled(job, services, mirror, WORK)
    beside = job.spec.shadow or not job.spec.path
    return git("rev-parse", f"{work}^1", git_dir=mirror.path) if beside else work


def _parallel(
    job: Job,
    services: Services,
    mirror: Mirror,
    head: str,
    node: ParallelNode,
    nodes: Mapping[str, RunnerNode],
    recorder: Recorder,
) -> Sequence[NodeReported]:
    """Do all branches at the same time. Each report is logged at once, and never made again."""
    known = {
        event.node: event
        for event in job.events
        if isinstance(event, NodeReported) and (event.within, event.head) == (job.node, head)
    }
    # All environments are one; it is made before the branches begin.
    environment_of(job, services)

    def branch(name: str) -> NodeReported:
        found = nodes[name]
        if isinstance(found, ParallelNode):
            raise NodeUnknown(f"The branch {name} of {job.node} is a parallel node itself.")
        report = replace_within(_done(job, services, mirror, head, name, found, recorder), job.node)
        services.log([report])
        return report

    left = [name for name in node.branches if name not in known]
    with ThreadPoolExecutor(max_workers=len(left) or 1) as pool:
        futures = {name: pool.submit(copy_context().run, branch, name) for name in left}
        fresh = {name: future.result() for name, future in futures.items()}
    return [fresh.get(name) or known[name] for name in node.branches]


def replace_within(report: NodeReported, parallel: str) -> NodeReported:
    """Return the report as that of a branch of the node `parallel`."""
    return report.model_copy(update={"within": parallel})


def _done(
    job: Job,
    services: Services,
    mirror: Mirror,
    head: str,
    name: str,
    node: CommandNode | AgentNode,
    recorder: Recorder,
) -> NodeReported:
    """Do one node in a checkout of its own."""
    make = sandboxes_of(job, services, environment_of(job, services))
    with services.workspaces.worktree(mirror, head, job.run_id, f"node-{name}") as tree:
        sandbox = make(tree.root, {}, {})
        if isinstance(node, AgentNode):
            return asked(replace(job, node=name), services, node, tree, sandbox, head, recorder)
        ran = sandbox.run(["bash", "-c", node.run], cancel=services.cancel)
        return NodeReported(
            node=name,
            head=head,
            outcome="done" if ran.exit_code == 0 else "red",
            text=services.redactor.text(cut_middle(ran.output, _MAX_OUTPUT)),
            exit_code=ran.exit_code,
            seconds=round(ran.duration_s, 3),
        )


def as_feedback(report: NodeReported) -> str:
    """Return what a node found, for the model that made the change."""
    if report.exit_code is not None:
        return f"The check `{report.node}` ended with exit code {report.exit_code}:\n{report.text}"
    lines = [
        f"The review `{report.node}` says that the following must be corrected. Correct what is justified:"
    ]
    for each in report.findings:
        place = f"{each.path}:{each.line}: " if each.line else f"{each.path}: " if each.path else ""
        lines.append(f"- {place}{each.text}")
    return "\n".join([*lines, *([report.text] if report.text else [])])
