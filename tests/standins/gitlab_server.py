"""A stand-in for GitLab over a real socket: REST, webhooks, git over HTTP on one address.

Its shapes follow python-gitlab's sources and GitLab's documentation (https://docs.gitlab.com/api/rest/). It
is strict where GitLab is strict: a second merge request of a branch is 409, a commit status that does not
change is 400, a stranger is 404, and unknown fields of a body are refused. It has what the bot uses and
nothing else.
"""

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote

import httpx

from bot.tls import trusted
from runners.git.command import git, read_blob
from tests.standins.git_http import GitServer, make_bare
from tests.standins.gitlab_pipelines import PROJECT, Pipelines
from tests.standins.merging import commits_of, git_merge
from tests.standins.serving import LoopbackServer, QuietHandler

TOKEN = "glpat-stand-in"
P = "/api/v4/projects/octo/calc"
_PAGE = 20
# Every state a commit status may go to, by the one it has. https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
_SAME = ("running", "pending")


class Refusal(Exception):
    """An answer that is an error, in GitLab's form."""

    def __init__(self, status: int, message: Any) -> None:
        super().__init__(str(message))
        self.status = status
        self.message = message


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _user(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "username": name, "name": name, "state": "active"}


class GitLabServer(Pipelines, LoopbackServer):
    """One GitLab with one project, ``octo/calc``: ada is maintainer, wim developer, tri reporter, eve a
    stranger."""

    repo = "octo/calc"

    def __init__(self, folder: Path, files: Mapping[str, str], webhook_url: str, secret: str) -> None:
        self._folder = folder
        self._files = files
        self._webhook_url = webhook_url
        self._secret = secret
        self._lock = threading.RLock()
        self.people = {
            name: _user(number, name)
            for number, name in (
                (101, "ada"),
                (102, "wim"),
                (103, "tri"),
                (104, "eve"),
                (201, "project_7_bot_ab12"),
            )
        }
        self.bot = self.people["project_7_bot_ab12"]
        self._levels = {101: 40, 102: 30, 103: 20, 201: 30}
        self._ids = 1000
        self.issues: dict[int, dict[str, Any]] = {}
        self.merge_requests: dict[int, dict[str, Any]] = {}
        self.notes: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self.discussions: dict[int, list[dict[str, Any]]] = {}
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.labels: dict[str, dict[str, Any]] = {}
        self.teams: dict[str, list[str]] = {}  # group -> the people in it
        self.awards: set[tuple[str, int, int]] = set()  # of (issue or merge request, its iid, note or 0)
        self.requests: list[tuple[str, str, int]] = []
        self.deliveries: list[int] = []
        self.told: list[tuple[str, bytes]] = []  # (event, body) of each delivery
        self._faults: list[list[Any]] = []
        self._tokens = {TOKEN: self.bot}
        self._caller = self.bot  # whose token the request at hand bears
        self.hooks: dict[int, dict[str, Any]] = {}
        self.token = {"id": 1, "active": True, "scopes": ["api", "write_repository"], "expires_at": None}
        self._hook_failures = 0
        self._hook_off_until = 0.0
        self.bare = folder / "git" / f"{self.repo}.git"
        self.git = GitServer(folder / "git", self._authorize_git)
        Pipelines.__init__(self)
        LoopbackServer.__init__(self, self._handler())
        number = r"(\d+)"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = [
            (method, re.compile(path + "$"), handler)
            for method, path, handler in (
                ("GET", "/api/v4/user", lambda _call: self._caller),
                ("GET", "/api/v4/users", self._users),
                ("GET", "/api/v4/personal_access_tokens/self", lambda _call: self.token),
                ("GET", f"{P}/hooks", lambda _call: list(self.hooks.values())),
                ("POST", f"{P}/hooks", self._write_hook),
                ("PUT", f"{P}/hooks/{number}", self._write_hook),
                ("GET", P, self._project),
                ("GET", f"{P}/members/all/{number}", self._member),
                ("GET", f"/api/v4/groups/([^/]+)/members/all/{number}", self._group_member),
                ("GET", f"{P}/issues", lambda _call: list(reversed(self.issues.values()))),
                ("POST", f"{P}/issues", self._create_issue),
                ("GET", f"{P}/issues/{number}", self._issue),
                ("GET", f"{P}/(issues|merge_requests)/{number}/notes", self._list_notes),
                ("POST", f"{P}/(issues|merge_requests)/{number}/notes", self._create_note),
                ("PUT", f"{P}/(issues|merge_requests)/{number}/notes/{number}", self._update_note),
                ("GET", f"{P}/merge_requests", self._list_merge_requests),
                ("POST", f"{P}/merge_requests", self._create_merge_request),
                ("GET", f"{P}/merge_requests/{number}", self._merge_request),
                ("PUT", f"{P}/merge_requests/{number}", self._update_merge_request),
                ("GET", f"{P}/merge_requests/{number}/commits", self._merge_request_commits),
                ("GET", f"{P}/merge_requests/{number}/discussions", self._list_discussions),
                ("POST", f"{P}/merge_requests/{number}/discussions/(\\w+)/notes", self._reply),
                ("PUT", f"{P}/merge_requests/{number}/discussions/(\\w+)", self._resolve),
                ("POST", f"{P}/(issues|merge_requests)/{number}/award_emoji", self._award),
                ("POST", f"{P}/(issues|merge_requests)/{number}/notes/{number}/award_emoji", self._award),
                ("GET", f"{P}/repository/files/(.+)/raw", self._raw_file),
                ("GET", f"{P}/labels", lambda _call: list(self.labels.values())),
                ("POST", f"{P}/labels", self._create_label),
                ("PUT", f"{P}/issues/{number}", self._update_issue),
                ("GET", f"{P}/pipelines", self.list_pipelines),
                ("GET", f"{P}/pipelines/{number}/jobs", self.list_jobs),
                ("GET", f"{P}/jobs/{number}/trace", self.trace),
                ("GET", f"{P}/repository/commits/([^/]+)", self._commit),
                ("POST", f"{P}/statuses/(\\w+)", self._create_status),
                (
                    "GET",
                    f"{P}/repository/commits/(\\w+)/statuses",
                    lambda _call, sha: self.statuses.get(sha, []),
                ),
            )
        ]

    def __enter__(self) -> Self:
        make_bare(self.bare, self._folder / "tree", self._files)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)

    def settings(self) -> dict[str, object]:
        """The settings of a bot with a project access token of this project."""
        return {"gitlab_url": self.root, "gitlab_token": TOKEN, "gitlab_webhook_token": self._secret}

    def add_token(self, name: str) -> str:
        """Return a token of one of the people."""
        token = f"glpat-of-{name}"
        self._tokens[token] = self.people[name]
        return token

    # -- what people do ------------------------------------------------------------------------------

    def open_issue(self, author: str, title: str, body: str, labels: tuple[str, ...] = ()) -> int:
        """Open an issue; with labels GitLab tells of them in the same event."""
        iid = len(self.issues) + 1
        self.issues[iid] = {
            "id": self._next(),
            "iid": iid,
            "project_id": PROJECT,
            "title": title,
            "description": body,
            "state": "opened",
            "author": self.people[author],
            "labels": list(labels),
            "created_at": now(),
            "updated_at": now(),
        }
        self._tell("Issue Hook", author, self._issue_event(iid, "open", {}))
        return iid

    def label(self, iid: int, name: str, sender: str) -> None:
        issue = self.issues[iid]
        before = list(issue["labels"])
        issue["labels"] = [*before, name]
        issue["updated_at"] = now()
        self._tell(
            "Issue Hook",
            sender,
            self._issue_event(iid, "update", self._label_change(before, issue["labels"])),
        )

    def unlabel(self, iid: int, name: str, sender: str) -> None:
        issue = self.issues[iid]
        before = list(issue["labels"])
        issue["labels"] = [each for each in before if each != name]
        self._tell(
            "Issue Hook",
            sender,
            self._issue_event(iid, "update", self._label_change(before, issue["labels"])),
        )

    def say(self, on: str, iid: int, author: str, body: str, **more: Any) -> int:
        """Write a note on an issue or a merge request, and tell the bot."""
        note = self._add_note(on, iid, self.people[author], body, **more)
        self._tell("Note Hook", author, self._note_event(on, iid, note))
        return int(note["id"])

    def comment_on_line(self, iid: int, author: str, path: str, line: int, body: str) -> int:
        """Begin a thread on an added line of a merge request; returns the id of its first note."""
        position = {
            "position_type": "text",
            "new_path": path,
            "old_path": path,
            "new_line": line,
            "old_line": None,
            "head_sha": self._sha(self.merge_requests[iid]["source_branch"]),
        }
        note = self._new_note(self.people[author], body, type="DiffNote", position=position)
        self.discussions.setdefault(iid, []).append(
            {"id": secrets.token_hex(20), "individual_note": False, "notes": [note]}
        )
        self._tell("Note Hook", author, self._note_event("merge_requests", iid, note))
        return int(note["id"])

    def close(self, iid: int, sender: str, *, merge: bool = False) -> None:
        """Close a merge request, or merge it with a commit of its own."""
        request = self.merge_requests[iid]
        head = self._sha(request["source_branch"])
        request["state"] = "merged" if merge else "closed"
        text = f"Merge branch '{request['source_branch']}' into '{request['target_branch']}'"
        commit = (
            git_merge(self.bare, request["target_branch"], request["source_branch"], text) if merge else None
        )
        attributes = {
            key: request[key] for key in ("id", "iid", "title", "source_branch", "source_project_id")
        }
        event = {
            "object_kind": "merge_request",
            "object_attributes": {
                **attributes,
                "target_project_id": PROJECT,
                "source": {"id": PROJECT, "path_with_namespace": self.repo},
                "action": "merge" if merge else "close",
                "last_commit": {"id": head, "message": ""},
                "merge_commit_sha": commit,
            },
        }
        self._tell("Merge Request Hook", sender, event)

    def push(self, branch: str, sender: str) -> None:
        """Tell the bot that the newest commit of a branch was pushed."""
        after = self._sha(branch)
        message = git("log", "-1", "--format=%B", branch, git_dir=self.bare)
        event = {
            "object_kind": "push",
            "ref": f"refs/heads/{branch}",
            "after": after,
            "commits": [{"id": after, "message": message}],
            "user_username": sender,
        }
        self._tell("Push Hook", sender, event)

    def fail_next(
        self, method: str, path: str, status: int, *, after_effect: bool = False, times: int = 1
    ) -> None:
        """Answer the next matching requests with `status`, before or after they had their effect."""
        self._faults.append([method, re.compile(path), status, after_effect, times])

    # -- events --------------------------------------------------------------------------------------

    def _issue_event(self, iid: int, action: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        issue = self.issues[iid]
        return {
            "object_kind": "issue",
            "event_type": "issue",
            "object_attributes": {
                **issue,
                "author_id": issue["author"]["id"],
                "labels": [],
                "action": action,
            },
            "labels": self._labels(issue["labels"]),
            "changes": changes,
        }

    def _note_event(self, on: str, iid: int, note: Mapping[str, Any]) -> dict[str, Any]:
        kind = "Issue" if on == "issues" else "MergeRequest"
        attributes = {**note, "note": note["body"], "author_id": note["author"]["id"], "noteable_type": kind}
        event = {
            "object_kind": "note",
            "event_type": "note",
            "object_attributes": {**attributes, "action": "create"},
        }
        if on == "issues":
            return {**event, "issue": {**self.issues[iid], "labels": []}}
        return {**event, "merge_request": {**self.merge_requests[iid], "labels": []}}

    def _label_change(self, before: list[str], after: list[str]) -> dict[str, Any]:
        return {"labels": {"previous": self._labels(before), "current": self._labels(after)}}

    @staticmethod
    def _labels(names: list[str]) -> list[dict[str, Any]]:
        return [{"id": number, "title": name} for number, name in enumerate(names, 1)]

    def _tell(self, event: str, sender: str, payload: Mapping[str, Any]) -> None:
        body = {
            **payload,
            "user": self.people[sender],
            "project": {"id": PROJECT, "path_with_namespace": self.repo},
        }
        headers = {
            "X-Gitlab-Event": event,
            "X-Gitlab-Token": self._secret,
            "Idempotency-Key": secrets.token_hex(16),
            "Content-Type": "application/json",
        }
        self.told.append((event, json.dumps(body).encode()))
        if time.monotonic() < self._hook_off_until:
            self.deliveries.append(0)
            return
        try:
            answer = httpx.post(
                self._webhook_url, content=json.dumps(body), headers=headers, timeout=60, verify=trusted()
            )
            status = answer.status_code
        except httpx.TransportError:
            status = 502
        self.deliveries.append(status)
        self._hook_failures = self._hook_failures + 1 if status >= 400 else 0
        if self._hook_failures > 3:
            # https://docs.gitlab.com/user/project/integrations/webhooks/#auto-disabled-webhooks
            self._hook_off_until = time.monotonic() + 60

    # -- the API -------------------------------------------------------------------------------------

    def _users(self, call: Mapping[str, Any]) -> Any:
        return [each for each in self.people.values() if each["username"] == call["query"].get("username")]

    def _write_hook(self, call: Mapping[str, Any], hook: str = "") -> Any:
        """Only a maintainer may; the secrets are never told again."""
        if self._levels.get(self._caller["id"], 0) < 40:
            raise Refusal(403, "403 Forbidden")
        events = ("issues", "note", "merge_requests", "pipeline", "push")
        allowed = {"url", "token", "signing_token", "enable_ssl_verification"}
        body = self._body(call, allowed | {f"{each}_events" for each in events}, {"url"})
        number = int(hook) if hook else self._next()
        if hook and number not in self.hooks:
            raise Refusal(404, "404 Not found")
        told = {key: value for key, value in body.items() if key not in ("token", "signing_token")}
        present = {"token_present": "token" in body, "signing_token_present": "signing_token" in body}
        self.hooks[number] = {"id": number, "project_id": PROJECT, **told, **present}
        return self.hooks[number]

    def _project(self, _call: Any) -> Any:
        return {"id": PROJECT, "path_with_namespace": self.repo, "default_branch": "main"}

    def _member(self, _call: Any, uid: str) -> Any:
        level = self._levels.get(int(uid))
        if level is None:
            raise Refusal(404, "404 Not found")
        user = next(each for each in self.people.values() if each["id"] == int(uid))
        return {**user, "access_level": level}

    def _group_member(self, _call: Any, group: str, uid: str) -> Any:
        found = [each for each in self.people.values() if each["id"] == int(uid)]
        if not found or found[0]["username"] not in self.teams.get(group, ()):
            raise Refusal(404, "404 Not found")
        return {**found[0], "access_level": 30}

    def _issue(self, _call: Any, iid: str) -> Any:
        return self._found(self.issues, iid)

    def _create_issue(self, call: Mapping[str, Any]) -> Any:
        body = self._body(call, {"title", "description", "labels"}, {"title"})
        iid = len(self.issues) + 1
        self.issues[iid] = {
            "id": self._next(),
            "iid": iid,
            "title": body["title"],
            "description": body.get("description", ""),
            "state": "opened",
            "author": self.bot,
            "labels": [each for each in body.get("labels", "").split(",") if each],
            "updated_at": now(),
        }
        return self.issues[iid]

    def _list_notes(self, _call: Any, on: str, iid: str) -> Any:
        self._found(self.issues if on == "issues" else self.merge_requests, iid)
        return self.notes.get((on, int(iid)), [])

    def _create_note(self, call: Mapping[str, Any], on: str, iid: str) -> Any:
        self._found(self.issues if on == "issues" else self.merge_requests, iid)
        body = self._body(call, {"body"}, {"body"})
        return self._add_note(on, int(iid), self.bot, body["body"])

    def _update_note(self, call: Mapping[str, Any], on: str, iid: str, note: str) -> Any:
        body = self._body(call, {"body"}, {"body"})
        for each in self.notes.get((on, int(iid)), []):
            if each["id"] == int(note):
                if each["author"]["id"] != self.bot["id"]:
                    raise Refusal(403, "403 Forbidden")
                each.update(body=body["body"], updated_at=now())
                return each
        raise Refusal(404, "404 Not found")

    def _list_merge_requests(self, call: Mapping[str, Any]) -> Any:
        query = call["query"]
        found = [self._fresh(each) for each in reversed(self.merge_requests.values())]
        return [
            each
            for each in found
            if query.get("source_branch") in (None, each["source_branch"])
            and query.get("state", "all") in ("all", each["state"])
        ]

    def _merge_request(self, _call: Any, iid: str) -> Any:
        return self._fresh(self._found(self.merge_requests, iid))

    def _merge_request_commits(self, _call: Any, iid: str) -> Any:
        """Newest first, and without parents, as GitLab answers."""
        request = self._found(self.merge_requests, iid)
        found = commits_of(self.bare, request["target_branch"], request["source_branch"])
        return [
            {"id": sha, "author_email": email, "title": title, "parent_ids": []}
            for sha, email, title, _ in reversed(found)
        ]

    def _create_merge_request(self, call: Mapping[str, Any]) -> Any:
        allowed = {"source_branch", "target_branch", "title", "description", "remove_source_branch"}
        body = self._body(call, allowed, {"source_branch", "target_branch", "title"})
        for each in self.merge_requests.values():
            if each["source_branch"] == body["source_branch"] and each["state"] == "opened":
                text = "Another open merge request already exists for this source branch"
                raise Refusal(409, [f"{text}: !{each['iid']}"])
        if not self._sha(body["source_branch"]):
            raise Refusal(400, {"source_branch": ["does not exist"]})
        iid = len(self.merge_requests) + 1
        self.merge_requests[iid] = {
            "id": self._next(),
            "iid": iid,
            "web_url": f"{self.root}/{self.repo}/-/merge_requests/{iid}",
            "title": body["title"],
            "description": body.get("description", ""),
            "state": "opened",
            "author": self.bot,
            "source_branch": body["source_branch"],
            "target_branch": body["target_branch"],
            "source_project_id": PROJECT,
            "target_project_id": PROJECT,
        }
        return self._fresh(self.merge_requests[iid])

    def _update_merge_request(self, call: Mapping[str, Any], iid: str) -> Any:
        request = self._found(self.merge_requests, iid)
        body = self._body(call, {"title", "description", "add_labels", "remove_labels"}, set())
        self._change_labels(request, body)
        request.update({key: body[key] for key in ("title", "description") if key in body})
        return self._fresh(request)

    def _update_issue(self, call: Mapping[str, Any], iid: str) -> Any:
        issue = self._found(self.issues, iid)
        before = list(issue["labels"])
        self._change_labels(issue, self._body(call, {"add_labels", "remove_labels"}, set()))
        if before != issue["labels"]:
            event = self._issue_event(int(iid), "update", self._label_change(before, issue["labels"]))
            name = self.bot["username"]
            threading.Thread(target=self._tell, args=("Issue Hook", name, event), daemon=True).start()
        return issue

    @staticmethod
    def _change_labels(thing: dict[str, Any], body: Mapping[str, Any]) -> None:
        gone = body.get("remove_labels", "").split(",")
        added = [each for each in body.get("add_labels", "").split(",") if each]
        kept = [each for each in thing.get("labels", []) if each not in gone]
        thing["labels"] = [*kept, *(each for each in added if each not in kept)]

    def _raw_file(self, _call: Any, path: str) -> Any:
        blob = read_blob(self.bare, "main", path)
        if blob is None:
            raise Refusal(404, "404 File Not Found")
        return blob

    def _create_label(self, call: Mapping[str, Any]) -> Any:
        body = self._body(call, {"name", "color", "description"}, {"name", "color"})
        if body["name"] in self.labels:
            raise Refusal(409, "Label already exists")
        self.labels[body["name"]] = {"id": self._next(), **body}
        return self.labels[body["name"]]

    def _award(self, call: Mapping[str, Any], on: str, iid: str, note: str = "0") -> Any:
        self._found(self.issues if on == "issues" else self.merge_requests, iid)
        self._body(call, {"name"}, {"name"})
        if int(note) and not self._has_note(on, int(iid), int(note)):
            raise Refusal(404, "404 Note Not Found")
        if (on, int(iid), int(note)) in self.awards:
            raise Refusal(404, "404 Award Emoji Name has already been taken Not Found")
        self.awards.add((on, int(iid), int(note)))
        return {"id": self._next(), "name": "eyes"}

    def _has_note(self, on: str, iid: int, note: int) -> bool:
        threads = self.discussions.get(iid, []) if on == "merge_requests" else []
        notes = [*self.notes.get((on, iid), []), *(each for thread in threads for each in thread["notes"])]
        return any(each["id"] == note for each in notes)

    def _resolve(self, call: Mapping[str, Any], iid: str, discussion: str) -> Any:
        body = self._body(call, {"resolved"}, {"resolved"})
        for each in self.discussions.get(int(iid), []):
            if each["id"] == discussion:
                each["resolved"] = body["resolved"]
                return each
        raise Refusal(404, "404 Discussion Not Found")

    def _list_discussions(self, _call: Any, iid: str) -> Any:
        single = [
            {"id": secrets.token_hex(20), "individual_note": True, "notes": [note]}
            for note in self.notes.get(("merge_requests", int(iid)), [])
        ]
        return [*single, *self.discussions.get(int(iid), [])]

    def _reply(self, call: Mapping[str, Any], iid: str, discussion: str) -> Any:
        body = self._body(call, {"body"}, {"body"})
        for each in self.discussions.get(int(iid), []):
            if each["id"] == discussion:
                note = self._new_note(self.bot, body["body"], type="DiffNote")
                each["notes"].append(note)
                return note
        raise Refusal(404, "404 Discussion Not Found")

    def _commit(self, _call: Any, ref: str) -> Any:
        sha = self._sha(ref)
        if not sha:
            raise Refusal(404, "404 Commit Not Found")
        return {"id": sha, "short_id": sha[:8]}

    def _create_status(self, call: Mapping[str, Any], sha: str) -> Any:
        allowed = {"state", "name", "description", "target_url", "pipeline_id"}
        body = self._body(call, allowed, {"state"})
        if len(body.get("description", "")) > 255:
            raise Refusal(400, {"description": ["is too long (maximum is 255 characters)"]})
        known = self.statuses.setdefault(sha, [])
        present = next((each for each in known if each["name"] == body["name"]), None)
        if present is not None and present["status"] == body["state"]:
            event = "run" if body["state"] == "running" else "enqueue"
            raise Refusal(400, f"Cannot transition status via :{event} from :{present['status']}")
        if present is None:
            present = {"id": self._next(), "sha": sha, "name": body["name"]}
            known.append(present)
        present.update(status=body["state"], description=body.get("description", ""))
        return present

    # -- inside --------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._ids += 1
        return self._ids

    def _new_note(self, author: Mapping[str, Any], body: str, **more: Any) -> dict[str, Any]:
        note = {"id": self._next(), "type": None, "author": author, "body": body, "created_at": now()}
        return {**note, "updated_at": note["created_at"], "system": False, "internal": False, **more}

    def _add_note(
        self, on: str, iid: int, author: Mapping[str, Any], body: str, **more: Any
    ) -> dict[str, Any]:
        note = self._new_note(author, body, **more)
        self.notes.setdefault((on, iid), []).append(note)
        return note

    def _fresh(self, request: Mapping[str, Any]) -> dict[str, Any]:
        title = str(request["title"])
        return {**request, "sha": self._sha(request["source_branch"]), "draft": title.startswith("Draft: ")}

    def _sha(self, branch: str) -> str:
        listed = git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", git_dir=self.bare)
        return listed.strip()

    @staticmethod
    def _found(things: Mapping[int, dict[str, Any]], iid: str) -> dict[str, Any]:
        if int(iid) not in things:
            raise Refusal(404, "404 Not found")
        return things[int(iid)]

    @staticmethod
    def _body(call: Mapping[str, Any], allowed: set[str], needed: set[str]) -> dict[str, Any]:
        body: dict[str, Any] = call["body"]
        if unknown := set(body) - allowed:
            raise Refusal(400, f"unknown to the stand-in: {', '.join(sorted(unknown))}")
        if missing := needed - set(body):
            raise Refusal(400, f"{', '.join(sorted(missing))} is missing")
        return body

    @staticmethod
    def _authorize_git(_repository: str, token: str, _writing: bool) -> int:
        return 200 if token == TOKEN else 401

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(QuietHandler):
            def _any(self) -> None:
                if ".git/" in self.path:
                    owner.git._serve(self)
                else:
                    owner._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = _any

        return Handler

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        raw = request.rfile.read(length)
        path, _, query = request.path.partition("?")
        with self._lock:
            status, answer, headers = self._answer(request, unquote(path), dict(parse_qsl(query)), raw)
            self.requests.append((request.command, unquote(path), status))
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        request.send_response(status)
        for name, value in {
            **headers,
            "Content-Type": "text/plain" if isinstance(answer, bytes) else "application/json",
            "Content-Length": str(len(body)),
        }.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    def _answer(
        self, request: BaseHTTPRequestHandler, path: str, query: dict[str, str], raw: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        self._caller = self._tokens.get(request.headers.get("PRIVATE-TOKEN", ""), self.bot)
        if request.headers.get("PRIVATE-TOKEN") not in self._tokens:
            return 401, {"message": "401 Unauthorized"}, {}
        for method, pattern, handler in self._routes:
            found = pattern.match(path)
            if method != request.command or found is None:
                continue
            fault = next((f for f in self._faults if f[0] == method and f[1].search(path) and f[4] > 0), None)
            if fault is not None:
                fault[4] -= 1
                if not fault[3]:
                    return self._fault(fault[2])
            try:
                result = handler({"query": query, "body": json.loads(raw or b"{}")}, *found.groups())
            except Refusal as refusal:
                return refusal.status, {"message": refusal.message}, {}
            if fault is not None:
                return self._fault(fault[2])
            if isinstance(result, list):
                return self._page(path, query, result)
            return (201 if method == "POST" else 200), result, {}
        return 404, {"error": "404 Not Found"}, {}

    @staticmethod
    def _fault(status: int) -> tuple[int, Any, dict[str, str]]:
        headers = {"Retry-After": "1"} if status == 429 else {}
        return status, {"message": "Retry later" if status == 429 else "fault"}, headers

    def _page(self, path: str, query: Mapping[str, str], items: list[Any]) -> tuple[int, Any, dict[str, str]]:
        size = min(int(query.get("per_page", _PAGE)), 100)
        page = int(query.get("page", 1))
        rest = items[page * size :]
        headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": str(page + 1) if rest else ""}
        if rest:
            # An instance behind a proxy names another host here, which must not be followed with the token.
            where = f"http://127.0.0.1:9{quote(path)}?page={page + 1}&per_page={size}"
            headers["Link"] = f'<{where}>; rel="next"'
        return 200, items[(page - 1) * size : page * size], headers
