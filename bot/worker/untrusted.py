"""The handlers of the phases that run a model's commands and repository code."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from urllib.parse import urlsplit

from bot.config.limits import database_urls, load_limits
from bot.config.mcp import load_mcp
from bot.config.models import load_models
from bot.config.settings import Settings
from bot.log.events import Phase
from bot.log.state import RunState
from bot.runs.claimed_run import ClaimedRun
from bot.runs.driver import PhaseHandler
from bot.runs.run_store import RunStore
from bot.telemetry.logs import hide
from runners.contract.events import RunnerEvent
from runners.contract.job import Job, PhaseResult
from runners.contract.nodes import RunnerNode
from runners.environment.prepare import Environments
from runners.git.workspaces import Workspaces
from runners.loop.services import Services
from runners.models.roster import Roster
from runners.phases.baseline import baseline
from runners.phases.nodes.run import run_node
from runners.phases.onboarding.survey import survey
from runners.phases.side_by_side import implement_all
from runners.phases.specify import specify
from runners.phases.verify import verify
from runners.policy.redact import redactor
from runners.sandbox.limits import CommandLimits
from runners.tools.backends.containers import sweep
from runners.tools.backends.databases import Databases
from runners.tools.backends.http import HttpAccess


def untrusted_handlers(
    settings: Settings,
    store: RunStore,
    workspaces: Workspaces,
    open_runs: Callable[[], Sequence[str]] | None = None,
    nodes: Mapping[str, RunnerNode] = MappingProxyType({}),
) -> Mapping[Phase, PhaseHandler]:
    """Return the handlers of the phases that run a model's commands; their only secret is the model's key.

    `open_runs` returns the runs whose containers are left alone; without it all containers are.
    `nodes` are those of the operator's workflow that runners do.
    """
    models, keys = load_models(settings)
    roster = Roster(models, settings.runtime, keys, settings.state_dir / "profiles")
    operator = load_limits(settings.limits_file)
    urls = database_urls(operator)
    passwords = [urlsplit(url).password for url in urls.values()]
    mcp = load_mcp(settings)
    secrets = [*settings.secrets, *filter(None, keys.values()), *urls.values(), *passwords, *mcp.secrets]
    redact = redactor(secrets)
    hide(secrets)
    resources = (HttpAccess(), Databases(urls), mcp)
    if operator.container_engine and open_runs is not None:
        sweep(operator.container_engine, open_runs(), CommandLimits())

    def handler(work: Callable[[Job, Services], PhaseResult[RunnerEvent]]) -> PhaseHandler:
        def handle(run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[RunnerEvent]:
            if state.requested is None or state.prepared is None:
                raise ValueError("runner phases come after prepare")
            job = Job(
                run_id=run_id,
                forge=state.requested.forge,
                repo=state.requested.repo,
                order=state.requested.order,
                base=state.prepared.base,
                settings=state.settings,
                events=tuple(
                    entry.event for entry in claimed.entries if isinstance(entry.event, RunnerEvent)
                ),
                spent=state.spent,
                conflicts=state.prepared.conflicts,
                node=state.node,
                before="" if state.requested.order.rebase else state.prepared.head or "",
            )
            limits = settings.command_limits
            unsafe = settings.unsafe_no_sandbox
            services = Services(
                workspaces=workspaces,
                operator=operator,
                redactor=redact,
                resources=resources,
                models=roster.led_by(state.model) if state.model else roster,
                log=claimed.log,
                artifact=claimed.artifact,
                earlier=partial(store.artifact_of, state.requested.forge, state.requested.repo),
                limits=limits,
                environments=Environments(
                    workspaces,
                    limits,
                    unsafe=unsafe,
                    registries=settings.registry_hosts,
                    variables=settings.passed_variables,
                ),
                cancel=claimed.cancel,
                instructions=partial(store.instructions, run_id),
                unsafe_no_sandbox=unsafe,
            )
            return work(job, services)

        return handle

    return {
        "specify": handler(specify),
        "baseline": handler(baseline),
        "implement": handler(implement_all),
        "verify": handler(verify),
        "survey": handler(survey),
        "node": handler(partial(run_node, nodes=nodes)),
    }
