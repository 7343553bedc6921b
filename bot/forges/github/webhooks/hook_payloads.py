"""The parts of GitHub's webhook payloads that the bot uses; everything else is ignored."""

from pydantic import BaseModel, Field

from bot.forges import forge


class Account(BaseModel):
    id: int
    login: str
    type: str = ""

    def neutral(self) -> forge.Account:
        return forge.Account(id=self.id, login=self.login, bot=self.type == "Bot")


class Repository(BaseModel):
    full_name: str


class Installation(BaseModel):
    id: int


class Label(BaseModel):
    name: str


class Issue(BaseModel):
    number: int
    title: str
    body: str | None = None
    updated_at: str = ""
    # There is one when the issue is the conversation of a pull request.
    pull_request: dict[str, object] | None = None


class Head(BaseModel):
    ref: str
    sha: str = ""
    repo: Repository | None = None


class Pull(BaseModel):
    number: int
    title: str
    head: Head
    body: str | None = None
    merged: bool = False
    merge_commit_sha: str | None = None


class Review(BaseModel):
    id: int
    state: str = ""
    body: str | None = None
    submitted_at: str | None = None


class Comment(BaseModel):
    id: int
    user: Account | None = None
    pull_request_review_id: int | None = None
    body: str | None = None
    created_at: str = ""


class _Former(BaseModel):
    text: str = Field(default="", alias="from")


class Changes(BaseModel):
    """What an edit has changed: the former text of the body."""

    body: _Former = _Former()


class Payload(BaseModel):
    """What all three events share; which of the rest is there depends on the event."""

    action: str = ""
    sender: Account
    repository: Repository
    installation: Installation | None = None
    label: Label | None = None
    issue: Issue | None = None
    pull_request: Pull | None = None
    review: Review | None = None
    comment: Comment | None = None
    changes: Changes = Changes()

    @property
    def repo(self) -> forge.Repo:
        return forge.Repo(
            full_name=self.repository.full_name,
            installation=self.installation.id if self.installation else 0,
        )
