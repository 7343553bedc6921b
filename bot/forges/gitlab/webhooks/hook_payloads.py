"""The parts of GitLab's webhook payloads that the bot uses; everything else is ignored.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from pydantic import BaseModel

from bot.forges.forge import Account, Repo


class FieldMissing(ValueError):
    """A field that an event needs is not there: it belongs to no project, or comes from another version."""


class User(BaseModel):
    # Older versions send no id: the adapter then looks the account up by its name.
    id: int = 0
    username: str = ""

    def neutral(self) -> Account:
        return Account(id=self.id, login=self.username)


class Project(BaseModel):
    path_with_namespace: str


class Label(BaseModel):
    title: str


class LabelChange(BaseModel):
    previous: list[Label] = []
    current: list[Label] = []


class TextChange(BaseModel):
    previous: str | None = None


class Changes(BaseModel):
    labels: LabelChange | None = None
    note: TextChange | None = None


class Issue(BaseModel):
    iid: int
    confidential: bool = False
    title: str = ""
    description: str | None = None


class MergeRequest(BaseModel):
    iid: int
    title: str = ""
    source_branch: str = ""
    source_project_id: int | None = None
    target_project_id: int | None = None


class Commit(BaseModel):
    id: str = ""
    message: str = ""


class Attributes(BaseModel):
    """Of an issue, a merge request, a note or a pipeline: which fields are there depends on the event."""

    id: int | None = None
    iid: int | None = None
    action: str | None = None
    title: str = ""
    description: str | None = None
    updated_at: str = ""
    created_at: str = ""
    confidential: bool | None = None
    note: str | None = None
    noteable_type: str = ""
    type: str | None = None
    discussion_id: str | None = None
    author_id: int | None = None
    system: bool = False
    internal: bool = False
    source_branch: str = ""
    source_project_id: int | None = None
    target_project_id: int | None = None
    ref: str = ""
    sha: str = ""
    status: str = ""
    last_commit: Commit | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    # Of a pipeline it is a word, of a merge request the whole source project.
    source: object = ""


class Payload(BaseModel):
    object_kind: str = ""
    event_type: str = ""
    user: User | None = None
    project: Project | None = None
    object_attributes: Attributes = Attributes()
    labels: list[Label] = []
    changes: Changes = Changes()
    issue: Issue | None = None
    merge_request: MergeRequest | None = None
    ref: str = ""
    after: str = ""
    commits: list[Commit] = []
    user_username: str = ""

    @property
    def repo(self) -> Repo:
        if self.project is None:
            raise FieldMissing("project is required")
        return Repo(full_name=self.project.path_with_namespace)

    @property
    def sender(self) -> Account:
        if self.user is None:
            raise FieldMissing("user is required")
        return self.user.neutral()
