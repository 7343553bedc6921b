"""Events that give the bot access to repositories, or end it: App installed or uninstalled, repository added,
archived or removed."""

from pydantic import BaseModel

from bot.forges.events import AccessLost, Ignored, Installed

ACCESS_EVENTS = frozenset({"installation", "installation_repositories", "repository"})

_INSTALLATION = {"deleted": "the App was uninstalled", "suspend": "the App was suspended"}
_REPOSITORY = {
    "archived": "the repository was archived",
    "deleted": "the repository was deleted",
    "transferred": "the repository was transferred",
}


class _Sender(BaseModel):
    login: str


class _Repository(BaseModel):
    full_name: str


class _Installation(BaseModel):
    id: int


class _Payload(BaseModel):
    action: str = ""
    sender: _Sender
    installation: _Installation | None = None
    repository: _Repository | None = None
    repositories: list[_Repository] = []
    repositories_added: list[_Repository] = []
    repositories_removed: list[_Repository] = []


def access_event(event: str, body: bytes) -> AccessLost | Installed | Ignored:
    """Read a delivery of one of `ACCESS_EVENTS`. Raises `pydantic.ValidationError`.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation
    """
    payload = _Payload.model_validate_json(body)
    by, action = payload.sender.login, payload.action
    if event == "installation" and action in _INSTALLATION and payload.installation is not None:
        return AccessLost(installation=payload.installation.id, reason=_INSTALLATION[action], by=by)
    if event == "installation_repositories" and payload.repositories_removed:
        repos = tuple(each.full_name for each in payload.repositories_removed)
        return AccessLost(repos=repos, reason="the repository was taken from the App", by=by)
    added = payload.repositories_added if event == "installation_repositories" else payload.repositories
    if added and action in ("created", "added") and payload.installation is not None:
        repos = tuple(each.full_name for each in added)
        return Installed(repos=repos, installation=payload.installation.id, by=by)
    if event == "repository" and action in _REPOSITORY and payload.repository is not None:
        return AccessLost(repos=(payload.repository.full_name,), reason=_REPOSITORY[action], by=by)
    return Ignored(reason="action not used")
