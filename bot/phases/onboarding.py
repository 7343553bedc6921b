"""The trusted phases of a run that looks at a repository which is new to the bot."""

from bot.behaviours.onboarding import BRANCH
from bot.config.repository import FILE, ConfigInvalid, parse_config, settings_of
from bot.forges.forge import Forge, PullClosed, Repo
from bot.log.events import Event, Prepared, Published, RunRequested
from bot.log.state import RunState
from bot.phases.carrying import carried
from bot.report.reporter import Reporter
from runners.contract.job import PhaseResult
from runners.git.command import TreeEntry, commit_on, push, read_blob, remote_heads, store_blob
from runners.git.outside import fetch_outside
from runners.git.workspaces import Workspaces, work_ref

_SUBJECT = "Configure Scenarist"


def prepare_onboarding(
    requested: RunRequested, run_id: str, forge: Forge, workspaces: Workspaces, *, carry_base: bool
) -> PhaseResult[Event]:
    """Fetch a repository that has neither a configuration nor ever had a pull request that proposes one."""
    repo = Repo(full_name=requested.repo, installation=requested.installation)
    earlier = forge.pulls_by_head(repo, BRANCH)
    if earlier:
        said = f"Pull request #{earlier[0].number} proposes a configuration and is {earlier[0].state}."
        return PhaseResult("gave_up", said)
    default = forge.default_branch(repo)
    access = forge.git_access(repo, write=False)
    mirror = workspaces.mirror(requested.forge, repo.full_name)
    base = mirror.fetch(access.url, access.header, [default])[default]
    if read_blob(mirror.path, base, FILE) is not None:
        return PhaseResult("gave_up", f"The repository has a {FILE}.")
    fetch_outside(mirror, base, access.url, access.header)
    artifacts = carried(mirror, run_id, base) if carry_base else {}
    prepared = Prepared(
        base=base, base_branch=default, branch=BRANCH, head=None, settings=settings_of(mirror.path, base)
    )
    return PhaseResult("onboard", events=[prepared], artifacts=artifacts)


def propose(
    run_id: str,
    state: RunState,
    text: bytes | None,
    forge: Forge,
    workspaces: Workspaces,
    reporter: Reporter,
) -> PhaseResult[Event]:
    """Push a commit that adds the `.scenarist.yml` with this text, and open its pull request.

    It holds nothing else: the text comes from a machine that ran the repository's code, and is read as
    strictly as one that people wrote.
    """
    requested, prepared, surveyed = state.requested, state.prepared, state.survey
    if requested is None or prepared is None or surveyed is None or text is None:
        return PhaseResult("gave_up", "There is no configuration to propose.")
    try:
        parse_config(text.decode(errors="replace"))
    except ConfigInvalid as error:
        return PhaseResult("gave_up", error.message)
    repo = Repo(full_name=requested.repo, installation=requested.installation)
    access = forge.git_access(repo, write=True)
    pushed = remote_heads(access.url, access.header, BRANCH).get(BRANCH)
    if pushed is None:
        mirror = workspaces.mirror(requested.forge, repo.full_name)
        entry = TreeEntry("100644", store_blob(mirror.path, text), FILE)
        pushed = commit_on(mirror.path, prepared.base, _SUBJECT, added=[entry])
        push(
            mirror.path,
            mirror.bundle_commit(pushed, work_ref(run_id), base=prepared.base),
            work_ref(run_id),
            url=access.url,
            header=access.header,
            branch=BRANCH,
            expected=None,
            commit=pushed,
        )
    title, body = reporter.onboarding_text(run_id, state)
    try:
        pull = forge.ensure_pull(repo, head=BRANCH, base=prepared.base_branch, title=title, body=body)
    except PullClosed:
        return PhaseResult("gave_up", "The pull request was closed: it is not opened again.")
    return PhaseResult("done", events=[Published(commit=pushed, pull=pull.number, url=pull.url)])
