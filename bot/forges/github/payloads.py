"""The parts of GitHub's REST answers that the bot uses; everything else is ignored."""

from pydantic import BaseModel

from bot.forges import forge


class User(BaseModel):
    id: int
    login: str = ""

    def neutral(self) -> forge.Account:
        return forge.Account(id=self.id, login=self.login)


_GHOST = User(id=0, login="ghost")  # what GitHub shows for a deleted account


class Repository(BaseModel):
    full_name: str = ""
    default_branch: str = "main"


class Collaborator(BaseModel):
    permission: str = "none"
    role_name: str = ""
    user: User | None = None


class Label(BaseModel):
    name: str = ""


class Issue(BaseModel):
    number: int
    title: str
    body: str | None = None
    user: User | None = None
    labels: list[Label | str] = []
    state: str = "open"
    pull_request: object | None = None

    def neutral(self) -> forge.Issue:
        return forge.Issue(
            number=self.number,
            title=self.title,
            body=self.body or "",
            author=(self.user or _GHOST).neutral(),
            labels=tuple(label if isinstance(label, str) else label.name for label in self.labels),
            open=self.state == "open",
        )


class IssueComment(BaseModel):
    id: int
    user: User | None = None
    body: str | None = None
    created_at: str = ""
    updated_at: str = ""

    def neutral(self) -> forge.Comment:
        return forge.Comment(
            id=self.id,
            author=(self.user or _GHOST).neutral(),
            body=self.body or "",
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class Branch(BaseModel):
    ref: str
    sha: str
    repo: Repository | None = None


class _Author(BaseModel):
    email: str | None = None


class _CommitData(BaseModel):
    author: _Author | None = None


class _Parent(BaseModel):
    sha: str


class Commit(BaseModel):
    sha: str
    commit: _CommitData
    parents: list[_Parent] = []

    def neutral(self) -> forge.PullCommit:
        author = self.commit.author
        email = (author.email or "") if author else ""
        return forge.PullCommit(sha=self.sha, email=email, merge=len(self.parents) > 1)


class PullRequest(BaseModel):
    number: int
    html_url: str = ""
    title: str
    body: str | None = None
    head: Branch
    base: Branch
    state: str
    merged_at: str | None = None
    user: User | None = None
    draft: bool = False

    def neutral(self) -> forge.Pull:
        return forge.Pull(
            number=self.number,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            head=self.head.ref,
            head_sha=self.head.sha,
            base=self.base.ref,
            state="open" if self.state == "open" else "merged" if self.merged_at else "closed",
            author=(self.user or _GHOST).neutral(),
            head_repo=self.head.repo.full_name if self.head.repo else "",
            draft=self.draft,
        )


class Review(BaseModel):
    id: int
    user: User | None = None
    body: str | None = None
    state: str = ""
    submitted_at: str | None = None

    def neutral(self) -> forge.Review:
        return forge.Review(
            id=self.id,
            author=(self.user or _GHOST).neutral(),
            body=self.body or "",
            state=self.state,
            submitted_at=self.submitted_at or "",
        )


class ReviewComment(BaseModel):
    id: int
    in_reply_to_id: int | None = None
    pull_request_review_id: int | None = None
    user: User | None = None
    body: str | None = None
    path: str
    line: int | None = None
    start_line: int | None = None
    side: str | None = None
    original_line: int | None = None
    commit_id: str = ""
    created_at: str = ""
    updated_at: str = ""

    def neutral(self) -> forge.ReviewComment:
        return forge.ReviewComment(
            id=self.id,
            thread=self.in_reply_to_id or self.id,
            author=(self.user or _GHOST).neutral(),
            body=self.body or "",
            path=self.path,
            line=self.line or self.original_line,
            start=self.start_line,
            # A remark on a line that is not there any more, or on the old side, is on no line of the commit.
            commit=self.commit_id if self.line and self.side != "LEFT" else "",
            created_at=self.created_at,
            updated_at=self.updated_at,
            review=self.pull_request_review_id,
        )


class CheckRun(BaseModel):
    id: int
    name: str
    external_id: str | None = None
