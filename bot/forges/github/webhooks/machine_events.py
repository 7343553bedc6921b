"""Events of machines: something of a repository's CI has ended on a commit, a branch was pushed to.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_run
"""

from pydantic import BaseModel

from bot.forges.ci import CHECK_NAME
from bot.forges.events import BaseMoved, CiFinished, Ignored
from bot.forges.forge import BRANCH_PREFIX, Repo
from bot.forges.github.webhooks.hook_payloads import Installation, Repository
from bot.forges.receiver import PayloadInvalid
from bot.forges.reverts import reverts

CI_EVENTS = frozenset({"check_run", "check_suite", "workflow_run"})
PASSED = frozenset({"success", "neutral", "skipped"})


class _Suite(BaseModel):
    head_branch: str | None = None


class _Part(BaseModel):
    """A check run, a check suite or a workflow run."""

    name: str | None = None
    head_sha: str = ""
    head_branch: str | None = None
    conclusion: str | None = None
    check_suite: _Suite | None = None
    head_repository: Repository | None = None


class _Payload(BaseModel):
    action: str = ""
    repository: Repository
    installation: Installation | None = None
    check_run: _Part | None = None
    check_suite: _Part | None = None
    workflow_run: _Part | None = None


class _Commit(BaseModel):
    message: str = ""


class _Sender(BaseModel):
    login: str = ""


class _Push(BaseModel):
    ref: str
    after: str
    deleted: bool = False
    commits: list[_Commit] = []
    sender: _Sender = _Sender()
    repository: Repository
    installation: Installation | None = None


def push_event(body: bytes) -> BaseMoved | Ignored:
    """Read a delivery of ``push``. Raises `pydantic.ValidationError`."""
    payload = _Push.model_validate_json(body)
    branch = payload.ref.removeprefix("refs/heads/")
    if branch == payload.ref or payload.deleted:
        return Ignored(reason="no branch was pushed")
    if branch.startswith(BRANCH_PREFIX):
        return Ignored(reason="a branch of ours")
    repo = _repo(payload)
    found = reverts((each.message for each in payload.commits), repo.full_name)
    return BaseMoved(repo=repo, branch=branch, commit=payload.after, reverts=found, by=payload.sender.login)


def _repo(payload: _Payload | _Push) -> Repo:
    installation = payload.installation.id if payload.installation else 0
    return Repo(full_name=payload.repository.full_name, installation=installation)


def ci_event(event: str, body: bytes) -> CiFinished | Ignored:
    """Read a delivery of one of `CI_EVENTS`. Raises `pydantic.ValidationError` and `PayloadInvalid`."""
    payload = _Payload.model_validate_json(body)
    if payload.action != "completed":
        return Ignored(reason="action not used")
    part: _Part | None = getattr(payload, event)
    if part is None:
        raise PayloadInvalid(f"{event} is required")
    branch = part.head_branch or (part.check_suite.head_branch if part.check_suite else None) or ""
    if not branch.startswith(BRANCH_PREFIX):
        return Ignored(reason="not a branch of ours")
    if part.head_repository is not None and part.head_repository.full_name != payload.repository.full_name:
        return Ignored(reason="pull request from a fork")
    if part.name == CHECK_NAME:
        return Ignored(reason="our own check")
    return CiFinished(
        repo=_repo(payload),
        branch=branch,
        commit=part.head_sha,
        name=part.name or event,
        passed=part.conclusion in PASSED,
    )
