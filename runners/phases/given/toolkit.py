"""What the implementing model works with: its tools, policy, quotas and audit trail, on one worktree."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from runners.contract.events import Committed, SpecWritten, ToolCalled
from runners.contract.job import Job, RunSettings, scenarios_folder
from runners.contract.memory import MEMORY
from runners.git.command import read_blob
from runners.git.model_git import TreeGit
from runners.git.workspaces import Worktree
from runners.loop.audit import GENESIS, Trail
from runners.loop.calls import Caller
from runners.loop.services import Services
from runners.phases.given.protected_files import ProtectedFiles
from runners.policy.capabilities import Policy
from runners.policy.protected import PROTECTED
from runners.policy.quota import Meter
from runners.repository.passages import Documents
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.process import CommandResult
from runners.tools import tools_for
from runners.tools.backends.containers import Containers
from runners.tools.backends.processes import BackgroundCommands
from runners.tools.base import Toolbox, ToolContext
from runners.tools.files.edit_checks import EditChecks, detected
from runners.tools.mcp.servers import McpCatalog, McpServers
from runners.tools.test_runs import Project, Testing
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites

# With fewer documents a model reads them whole.
_FEW_DOCUMENTS = 3


class MakeSandbox(Protocol):
    """Makes a sandbox of a checkout with mounts (path inside -> path on the host).

    `ended` is called with the result of each command.
    """

    def __call__(
        self,
        root: Path,
        read_only: Mapping[str, Path],
        writable: Mapping[str, Path],
        ended: Callable[[CommandResult], None] | None = None,
    ) -> Sandbox: ...


def policy_of(job: Job, services: Services) -> Policy:
    """Return what the model may do: the repository's grants within the operator's limits."""
    role = job.settings.tools.role
    if services.models.agent("driver").tools == "edit":
        role = "edit"
    # There is no feature yet while its scenarios are written.
    features = [event.path for event in job.events if isinstance(event, SpecWritten) and event.path][-1:]
    return Policy(
        role=role,
        repository=job.settings.tools,
        operator=services.operator.grants,
        protected=(*PROTECTED, *job.settings.protected),
        locked=(*features, MEMORY, *services.operator.protected),
    )


def closed_paths(job: Job, services: Services) -> tuple[str, ...]:
    """Return the globs of paths that nothing opens.

    The feature is not among them, because it is judged by its hash, and neither is the memory where the
    newest commit of the work is the phase's own change of it.
    """
    commits = [event for event in job.events if isinstance(event, Committed)]
    own = (job.spec.path, MEMORY) if commits and commits[-1].remembered else (job.spec.path,)
    return tuple(glob for glob in policy_of(job, services).closed if glob not in own)


def wanted_paths(settings: RunSettings) -> list[str]:
    """Return the globs of protected paths that the repository opens to a run, allowed by the operator or
    not.
    """
    allowed = (each.partition(":") for each in settings.tools.allow)
    return [glob for capability, _, glob in allowed if capability == "files.write" and glob]


def opened_paths(job: Job, services: Services) -> tuple[str, ...]:
    """Return the globs of protected paths that both the repository and the operator open to a run."""
    policy = policy_of(job, services)
    return tuple(glob for glob in wanted_paths(job.settings) if policy.refusal("files.write", glob) is None)


@contextlib.contextmanager
def tools_of(
    job: Job,
    services: Services,
    tree: Worktree,
    make_sandbox: MakeSandbox,
    before: Mapping[str, SuiteRun] | None = None,
    said_of: Callable[[Sequence[str]], str] = lambda _paths: "",
) -> Iterator[Caller]:
    """Give the tools for one round of implementing; when the block ends, everything that they started is
    stopped.

    `before` are the suites' results on the base commit. `said_of` returns a note on files that were just
    changed.
    """
    policy = policy_of(job, services)
    called = [event for event in job.events if isinstance(event, ToolCalled)]
    quotas = job.settings.quotas.within(services.operator.quotas)
    meter = Meter(quotas.run, quotas.phase, (call.usage for call in called))
    trail = Trail(policy.role, services.redactor, called[-1].hash or GENESIS if called else GENESIS)

    engine = services.operator.container_engine
    with contextlib.ExitStack() as stack:
        copies = stack.enter_context(tempfile.TemporaryDirectory(prefix="scenarist-locked-"))
        kept = ProtectedFiles(tree, policy, job.spec.commit)
        kept.put_back()
        covered = kept.mounts(Path(copies))

        def guarded(root: Path, read_only: Mapping[str, Path], writable: Mapping[str, Path]) -> Sandbox:
            return make_sandbox(root, {**covered, **read_only}, writable, meter.command)

        suites = Suites(
            guarded,
            features=scenarios_folder(job),
            tests=job.settings.tests,
            behave=job.settings.behave,
            cancel=services.cancel,
        )
        testing = Testing(tree.root, suites.within(services.limits.wall_s), before)
        sandbox = guarded(tree.root, {}, {})
        background = stack.enter_context(BackgroundCommands(sandbox, services.limits.wall_s))
        more = services.resources
        if engine and not all(policy.refusal(each) for each in ("docker.run", "docker.build")):
            containers = Containers(engine, job.work_id, sandbox, services.limits, covered)
            more = (*more, stack.enter_context(containers))
        catalog = next((each for each in services.resources if isinstance(each, McpCatalog)), McpCatalog())
        mcp = stack.enter_context(
            McpServers(
                catalog,
                services.models.agent("driver").mcp,
                tree.root,
                services.cancel,
                meter.command,
                unsafe=services.unsafe_no_sandbox,
            )
        )
        documents = Documents(tree.mirror.path, job.base)
        project = Project(job.settings.commands, scenarios_folder(job))
        context = ToolContext(
            root=tree.root,
            sandbox=sandbox,
            git=TreeGit(tree.git, tree.stage, job.base),
            run_tests=testing.run,
            policy=policy,
            known=kept.has,
            cancel=services.cancel,
            redactor=services.redactor,
            resources=(testing, project, background, documents, *more),
        )

        def at_base(path: str) -> bytes | None:
            return read_blob(tree.mirror.path, job.base, path)

        rules = job.settings.edited
        if rules is None:
            settings = at_base("pyproject.toml") or b""
            own_file = any(at_base(name) is not None for name in ("ruff.toml", ".ruff.toml"))
            rules = detected(settings.decode(errors="replace"), own_file=own_file)
        checks = EditChecks(sandbox, rules, at_base)

        def edited(paths: Sequence[str]) -> str:
            return "\n".join(filter(None, (said_of(paths), checks(paths))))

        worth_searching = len(documents.paths) >= _FEW_DOCUMENTS
        toolbox = Toolbox((*tools_for(policy, documents=worth_searching), *mcp.tools(policy)))
        yield Caller(toolbox, context, trail, meter, edited, kept)
        background.stop_all()
        kept.put_back()
