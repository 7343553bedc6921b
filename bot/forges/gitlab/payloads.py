"""GitLab's answers as neutral values."""

import re
from collections.abc import Mapping
from typing import Any

from bot.forges.forge import Account, Comment, Issue, Pull, PullCommit, Repo, ReviewComment

DRAFT = "Draft: "  # the title of a draft begins so; there is no other way to make one


# https://docs.gitlab.com/user/project/merge_requests/drafts/
_DRAFTED = re.compile(r"(?:\s*(?:draft:|\[draft\]|\(draft\)))+\s*", re.IGNORECASE)


def titled(title: str, *, draft: bool) -> str:
    """Return `title` as that of a merge request, which is a draft or not whatever `title` begins with."""
    found = _DRAFTED.match(title)
    plain = title[found.end() :] if found else title
    return f"{DRAFT if draft else ''}{plain or 'Untitled'}"


def account(user: Mapping[str, Any]) -> Account:
    return Account(id=int(user["id"]), login=str(user["username"]))


def is_hidden(note: Mapping[str, Any]) -> bool:
    """Return whether a note is GitLab's own, or not for the public."""
    return bool(note.get("system") or note.get("internal") or note.get("confidential"))


def issue(data: Mapping[str, Any]) -> Issue:
    return Issue(
        number=data["iid"],
        title=data["title"],
        body=data.get("description") or "",
        author=account(data["author"]),
        labels=tuple(data.get("labels") or ()),
        open=data["state"] == "opened",
    )


def comment(data: Mapping[str, Any]) -> Comment:
    return Comment(
        id=data["id"],
        author=account(data["author"]),
        body=data["body"],
        created_at=data["created_at"],
        updated_at=data.get("updated_at") or "",
    )


def pull(data: Mapping[str, Any], repo: Repo) -> Pull:
    states: Mapping[str, Any] = {"opened": "open", "locked": "open", "merged": "merged"}
    title = str(data["title"])
    return Pull(
        number=data["iid"],
        url=data["web_url"],
        title=title.removeprefix(DRAFT),
        body=data.get("description") or "",
        head=data["source_branch"],
        head_sha=data.get("sha") or "",
        base=data["target_branch"],
        state=states.get(data["state"], "closed"),
        author=account(data["author"]),
        head_repo=repo.full_name if data.get("source_project_id") == data.get("target_project_id") else "",
        draft=bool(data.get("draft")) or title.startswith(DRAFT),
    )


def pull_commit(data: Mapping[str, Any]) -> PullCommit:
    # The list of a merge request's commits often leaves their parents out.
    merge = len(data.get("parent_ids") or ()) > 1 or str(data.get("title")).startswith("Merge branch '")
    return PullCommit(sha=data["id"], email=data.get("author_email") or "", merge=merge)


def review_comment(note: Mapping[str, Any], first: Mapping[str, Any]) -> ReviewComment:
    position = note.get("position") or first.get("position") or {}
    lines = (position.get("line_range") or {}).get("start") or {}
    return ReviewComment(
        id=note["id"],
        thread=first["id"],
        author=account(note["author"]),
        body=note["body"],
        path=position.get("new_path") or "",
        line=position.get("new_line") or position.get("old_line"),
        start=lines.get("new_line"),
        commit=(position.get("head_sha") or "") if position.get("new_line") else "",
        created_at=note["created_at"],
        updated_at=note.get("updated_at") or "",
    )
