"""The handlers of the phases that run a model's commands and repository code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from runners.contract.events import ModelRouted, RunnerEvent, SpecWritten
from runners.contract.job import Job, PhaseResult
from runners.contract.nodes import RunnerNode
from runners.contract.routing import choose
from runners.environment.prepare import Environments
from runners.git.workspaces import Workspaces
from runners.loop.services import Services
from runners.models.roster import Roster
from runners.models.runtimes import ModelRole
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

# When the model of a role is chosen: at the start of the first phase that needs it, with what is known then.
_AT: Mapping[Phase, tuple[ModelRole, ...]] = {
    "specify": ("analyst",),
    "implement": ("driver", "navigator", "reviewer"),
}


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
    listed, keys = load_models(settings)
    roster = Roster(listed, settings.runtime, keys, settings.state_dir / "profiles")
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

    def handler(name: Phase, work: Callable[[Job, Services], PhaseResult[RunnerEvent]]) -> PhaseHandler:
        def handle(run_id: str, state: RunState, claimed: ClaimedRun) -> PhaseResult[RunnerEvent]:
            job = _job(run_id, state, claimed)
            models = roster.led_by(state.model) if state.model else roster
            models, events = routed(models, name, run_id, store, claimed, job.events)
            job = replace(job, events=tuple(events))
            limits = settings.command_limits
            unsafe = settings.unsafe_no_sandbox
            services = Services(
                workspaces=workspaces,
                operator=operator,
                redactor=redact,
                resources=resources,
                models=models,
                log=claimed.log,
                artifact=claimed.artifact,
                earlier=partial(store.artifact_of, job.forge, job.repo),
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
        "specify": handler("specify", specify),
        "baseline": handler("baseline", baseline),
        "implement": handler("implement", implement_all),
        "verify": handler("verify", verify),
        "survey": handler("survey", survey),
        "node": handler("node", partial(run_node, nodes=nodes)),
    }


def routed(
    roster: Roster,
    phase: Phase,
    run_id: str,
    store: RunStore,
    claimed: ClaimedRun,
    events: Sequence[RunnerEvent],
) -> tuple[Roster, Sequence[RunnerEvent]]:
    """Return the roster with the models that `routing: measured` chose, and the events with new choices.

    A choice is made once in a run, from what earlier runs came to, and is logged.
    """
    chosen = {event.role: event.runtime for event in events if isinstance(event, ModelRouted)}
    due = [role for role in _AT.get(phase, ()) if role in roster.measured and role not in chosen]
    if due:
        specs = [event for event in events if isinstance(event, SpecWritten)]
        kind = specs[-1].kind if specs else ""
        results = store.model_results(run_id)
        new = []
        for role in due:
            choice = choose(role, roster.agent(role), roster.runtimes, kind, results)
            new.append(ModelRouted(role=role, runtime=choice.runtime, reason=choice.reason))
        claimed.log(new)
        chosen |= {event.role: event.runtime for event in new}
        events = [*events, *new]
    return roster.routed(chosen), events


def _job(run_id: str, state: RunState, claimed: ClaimedRun) -> Job:
    """Return what the phase is given of its run. Raises `ValueError` before `prepare` has ended."""
    if state.requested is None or state.prepared is None:
        raise ValueError("runner phases come after prepare")
    return Job(
        run_id=run_id,
        forge=state.requested.forge,
        repo=state.requested.repo,
        order=state.requested.order,
        base=state.prepared.base,
        settings=state.settings,
        events=tuple(entry.event for entry in claimed.entries if isinstance(entry.event, RunnerEvent)),
        spent=state.spent,
        conflicts=state.prepared.conflicts,
        node=state.node,
        before="" if state.requested.order.rebase else state.prepared.head or "",
    )
