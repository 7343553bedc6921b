"""A stand-in for GitHub over a real socket: REST, signed webhooks, git over HTTP.

Strict where GitHub is strict: what a request may hold and an answer must look like is GitHub's own OpenAPI
description; answers are GitHub's own examples with the stand-in's state laid over them. Each answer that
differs from the description is noted in `violations`. It has what the bot uses and nothing else.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

import httpx
import jwt

from bot.tls import trusted
from runners.git.command import git, read_blob
from tests.standins.emulator import make_key
from tests.standins.git_http import GitServer, make_bare
from tests.standins.github_apps import REGISTER, Apps
from tests.standins.github_issues import Issues
from tests.standins.github_jobs import Jobs
from tests.standins.github_pulls import Pulls
from tests.standins.github_state import APP_ID, INSTALLATION, SLUG, Call, R, Refusal, now
from tests.standins.github_workflows import Workflows
from tests.standins.merging import git_merge
from tests.standins.openapi import description
from tests.standins.serving import LoopbackServer, QuietHandler

_GRANTED = {
    "metadata": "read",
    "contents": "write",
    "issues": "write",
    "pull_requests": "write",
    "checks": "write",
    "actions": "read",
}
_REPOSITORY_ID = 1296269
_LEVELS = ("none", "read", "write", "admin")


@dataclass
class Fault:
    """What to do wrong the next `times` times a request matches."""

    method: str
    path: re.Pattern[str]
    status: int
    after_effect: bool
    times: int
    headers: dict[str, str] = field(default_factory=dict)


class GitHubServer(Apps, Issues, Pulls, Jobs, Workflows, LoopbackServer):
    """One GitHub with one repository, ``octo/calc``. People are ada (admin), wim (write) and tri (read)."""

    repo = "octo/calc"

    def __init__(self, folder: Path, files: Mapping[str, str], webhook_url: str, secret: str) -> None:
        self._folder = folder
        self._files = files
        self._webhook_url = webhook_url
        self._secret = secret
        self._api = description()
        self._lock = threading.RLock()
        self.private_key = make_key()
        self.card: dict[str, Any] = {}
        self.hook: dict[str, Any] = {"content_type": "json", "url": webhook_url}
        self._people = {
            "ada": ({"id": 101, "login": "ada", "type": "User"}, "admin"),
            "wim": ({"id": 102, "login": "wim", "type": "User"}, "write"),
            "tri": ({"id": 103, "login": "tri", "type": "User"}, "read"),
            "eve": ({"id": 104, "login": "eve", "type": "User"}, "none"),
        }
        self._bots = {
            f"{SLUG}[bot]": {"id": 201, "login": f"{SLUG}[bot]", "type": "Bot"},
            "github-actions[bot]": {"id": 41898282, "login": "github-actions[bot]", "type": "Bot"},
        }
        self._tokens: dict[str, tuple[dict[str, Any], Mapping[str, str], float]] = {}
        self._ids = 1000
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.pulls: dict[int, dict[str, Any]] = {}
        self.drafts = True  # whether the repository's plan has draft pull requests
        self.checks: dict[int, dict[str, Any]] = {}
        self.reviews: dict[int, dict[str, Any]] = {}
        self.review_comments: dict[int, dict[str, Any]] = {}
        self.reactions: set[tuple[int, str]] = set()
        self.labels: dict[str, dict[str, str]] = {}
        self.resolved: set[int] = set()  # the first comments of the threads that are resolved
        self.requests: list[tuple[str, str, int]] = []
        self.violations: list[str] = []
        self.largest_page = 100
        self.deliveries: list[dict[str, Any]] = []
        self._faults: list[Fault] = []
        self.granted = dict(_GRANTED)
        self.teams: dict[str, list[str]] = {}  # slug -> the people in it
        self.default_branch = "main"
        # (requests that are left, of so many, until this moment); None: they are not counted.
        self.rate: tuple[int, int, float] | None = None
        self._former: set[str] = set()
        self.bare = folder / "git" / f"{self.repo}.git"
        self.git = GitServer(folder / "git", self._authorize_git, self._pushed)
        Apps.__init__(self)
        Jobs.__init__(self)
        Workflows.__init__(self)
        LoopbackServer.__init__(self, self._handler())
        self._routes = self._make_routes()

    @property
    def api_url(self) -> str:
        return self.root

    def __enter__(self) -> Self:
        make_bare(self.bare, self._folder / "tree", self._files)
        self.git.__enter__()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.git.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)

    def settings(self) -> dict[str, object]:
        """The settings of a bot that is installed here."""
        key = self._folder / "app.pem"
        key.write_text(self.private_key)
        return {
            "github_api_url": self.api_url,
            "github_git_url": self.git.url,
            "github_app_id": str(APP_ID),
            "github_private_key_file": str(key),
            "github_webhook_secret": self._secret,
        }

    # -- what people do ------------------------------------------------------------------------------

    def open_issue(self, author: str, title: str, body: str) -> int:
        with self._lock:
            number = len(self.issues) + len(self.pulls) + 1
            self.issues[number] = {
                "number": number,
                "title": title,
                "body": body,
                "user": self._people[author][0],
                "labels": [],
                "updated_at": now(),
            }
        return number

    def label(self, number: int, name: str, sender: str) -> None:
        issue = self.issues[number]
        issue["labels"].append({"name": name})
        issue["updated_at"] = now()
        self.send("issues", "labeled", sender, issue=issue, label={"name": name})

    def unlabel(self, number: int, name: str, sender: str) -> None:
        issue = self.issues[number]
        issue["labels"] = [label for label in issue["labels"] if label["name"] != name]
        self.send("issues", "unlabeled", sender, issue=issue, label={"name": name})

    def comment(self, number: int, author: str, body: str) -> int:
        return self._add_comment(number, self._people[author][0], body)

    def say(self, number: int, author: str, body: str) -> None:
        """Comment, and tell the bot."""
        comment = self.comments[self.comment(number, author, body)]
        self.send("issue_comment", "created", author, issue=self._conversation(number), comment=comment)

    def _conversation(self, number: int) -> dict[str, Any]:
        """The issue that an event about a comment names; a pull request is one, too."""
        if number in self.issues:
            return self.issues[number]
        pull = self.pulls[number]
        return {"number": number, "title": pull["title"], "body": pull["body"], "pull_request": {}}

    def review(self, pull: int, author: str, body: str, comments: list[tuple[str, int, str]]) -> int:
        """Submit a review; GitHub sends one event for it and one for each comment."""
        who = self._people[author][0]
        review = self._next_id()
        self.reviews[review] = {
            "id": review,
            "user": who,
            "body": body,
            "state": "CHANGES_REQUESTED",
            "submitted_at": now(),
            "pull": pull,
        }
        made = []
        for path, line, text in comments:
            number = self._next_id()
            self.review_comments[number] = {
                "id": number,
                "user": who,
                "body": text,
                "path": path,
                "line": line,
                "start_line": None,
                "side": "RIGHT",
                "commit_id": self.pulls[pull]["sha"],
                "pull_request_review_id": review,
                "pull": pull,
                "created_at": now(),
                "updated_at": now(),
            }
            made.append(number)
        payload = self._pull_payload(pull)
        submitted = {"id": review, "state": "changes_requested", "body": body, "submitted_at": now()}
        self.send("pull_request_review", "submitted", author, review=submitted, pull_request=payload)
        for number in made:
            self.send(
                "pull_request_review_comment",
                "created",
                author,
                comment=self.review_comments[number],
                pull_request=payload,
            )
        return review

    def close_pull(self, number: int, *, delete_branch: bool = False) -> None:
        self.pulls[number]["state"] = "closed"
        if delete_branch:
            git("update-ref", "-d", f"refs/heads/{self.pulls[number]['head']}", git_dir=self.bare)

    def end_pull(self, number: int, sender: str, *, merge: bool) -> None:
        """Close a pull request, or merge it with a commit of its own, and tell the bot."""
        self._pushed("")
        pull, tried = self.pulls[number], secrets.token_hex(20)
        pull["state"] = "closed"
        if merge:
            tried = git_merge(self.bare, pull["base"], pull["head"], f"Merge pull request #{number}")
        payload = self._pull_answer(number, self._template("get", R + "/pulls/{pull_number}"))
        # GitHub tries each merge, and names the commit of the trial here.
        payload |= {"merged": merge, "merge_commit_sha": tried}
        self.send("pull_request", "closed", sender, pull_request=payload)

    def push(self, branch: str, sender: str) -> None:
        """Tell the bot that the newest commit of a branch was pushed."""
        after = git("rev-parse", branch, git_dir=self.bare)
        message = git("log", "-1", "--format=%B", branch, git_dir=self.bare)
        commits = [{"id": after, "message": message, "distinct": True}]
        self.send("push", "", sender, ref=f"refs/heads/{branch}", after=after, commits=commits)

    def send(self, event: str, action: str, sender: str, **parts: Any) -> None:
        """Sign and post a delivery, as GitHub does; how it was answered is kept in `deliveries`."""
        people = {name: person for name, (person, _) in self._people.items()} | self._bots
        body = json.dumps(
            {
                "action": action,
                "repository": {"full_name": self.repo},
                "installation": {"id": INSTALLATION},
                "sender": people[sender],
                **parts,
            }
        ).encode()
        self.deliver(event, str(uuid.uuid4()), body)

    def deliver(self, event: str, guid: str, body: bytes) -> int:
        """Post one delivery; returns the status of the answer."""
        signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        try:
            status = httpx.post(
                self._webhook_url, content=body, headers=headers, timeout=60, verify=trusted()
            ).status_code
        except httpx.TransportError:
            status = 502  # as GitHub writes down a hook that cannot be reached
        self.deliveries.append({"event": event, "guid": guid, "body": body, "status": status})
        return status

    def fail_next(
        self,
        method: str,
        path: str,
        status: int = 502,
        *,
        after_effect: bool = False,
        times: int = 1,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next matching requests with `status`; with `after_effect` do what was asked first."""
        fault = Fault(method, re.compile(path), status, after_effect, times, headers or {})
        self._faults.append(fault)

    def unmet_faults(self) -> int:
        """Return how many requests are still to fail."""
        return sum(fault.times for fault in self._faults)

    def forget_faults(self) -> None:
        self._faults.clear()

    def revoke_tokens(self) -> None:
        """From now on nobody knows the tokens that were given out."""
        with self._lock:
            self._tokens.clear()

    def rename(self, name: str) -> None:
        """The repository has another name; requests by the old one are redirected, as GitHub does."""
        with self._lock:
            self._former = (self._former | {self.repo}) - {name}
            moved = self.bare.parents[1] / f"{name}.git"
            self.bare.rename(moved)
            self.repo, self.bare = name, moved

    def job_token(self) -> str:
        """A token as a GitHub Actions job gets it."""
        return self._mint(self._bots["github-actions[bot]"], dict(_GRANTED))

    # -- requests ------------------------------------------------------------------------------------

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(QuietHandler):
            def _any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                status, body, headers = owner._serve(self, self.rfile.read(size))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any

        return Handler

    def _serve(self, request: BaseHTTPRequestHandler, raw: bytes) -> tuple[int, Any, dict[str, str]]:
        target, _, query = request.path.partition("?")
        # GitHub Enterprise Server has its API below this path.
        path, method = unquote(target).removeprefix("/api/v3"), request.command
        if method == "POST" and REGISTER.match(path):
            status, text, more = self.register(path, query, raw)
            return status, text.encode(), {"Content-Type": "text/html", **more}
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-GitHub-Request-Id": secrets.token_hex(8),
        }
        if self.rate is not None:
            left, limit, until = self.rate if self.rate[2] > time.time() else (5000, 5000, time.time() + 3600)
            headers |= {
                "X-RateLimit-Remaining": str(left),
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Reset": str(int(until)),
            }
        path = path.replace(f"/repositories/{_REPOSITORY_ID}", f"/repos/{self.repo}")
        if path.startswith("/_logs/"):
            return 200, self.logs[int(path.removeprefix("/_logs/"))].encode(), {"Content-Type": "text/plain"}
        fault = self._fault(method, path)
        if fault is not None and not fault.after_effect:
            return self._broken(method, path, fault)
        with self._lock:
            status, body = self._answer(
                method, path, query, raw, request.headers.get("Authorization", ""), headers
            )
        self.requests.append((method, path, status))
        if fault is not None:
            return self._broken(method, path, fault)
        return status, body, headers

    def _broken(self, method: str, path: str, fault: Fault) -> tuple[int, bytes, dict[str, str]]:
        self.requests.append((method, path, fault.status))
        return fault.status, b"<html>Unicorn!</html>", {"Content-Type": "text/html", **fault.headers}

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.times and fault.method == method and fault.path.search(path):
                fault.times -= 1
                return fault
        return None

    def _answer(
        self, method: str, path: str, query: str, raw: bytes, authorization: str, headers: dict[str, str]
    ) -> tuple[int, Any]:
        if path == "/graphql":
            return self._graphql(json.loads(raw), authorization)
        operation = self._api.operation(method, path)
        try:
            body = json.loads(raw) if raw else {}
            if operation is None:
                raise Refusal(404, "Not Found")
            handler, permission, found = self._route(method, path)
            user, permissions = self._who(authorization, permission)
            problem = self._api.request_problem(operation, body)
            if problem:
                raise Refusal(422, f"Invalid request.\n\n{problem}")
            call = Call(method, path, dict(parse_qsl(query)), body, user, permissions, headers)
            status, answer = handler(call, **found)
            if isinstance(answer, list):
                answer = self._page(call, answer, headers)
        except Refusal as refusal:
            headers |= refusal.headers
            return refusal.status, refusal.body
        problem = self._api.answer_problem(operation, status, answer)
        if problem:
            self.violations.append(f"{method} {path} {status}: {problem}")
        return status, answer

    def _page(self, call: Call, items: list[Any], headers: dict[str, str]) -> list[Any]:
        size = min(int(call.query.get("per_page", 30)), 100)
        page = int(call.query.get("page", 1))
        if page * size < len(items):
            headers["Link"] = f'<{self.api_url}{call.path}?per_page={size}&page={page + 1}>; rel="next"'
        return items[(page - 1) * size : page * size]

    def _route(self, method: str, path: str) -> tuple[Callable[..., tuple[int, Any]], str, dict[str, str]]:
        for verb, pattern, permission, handler in self._routes:
            match = pattern.match(path)
            if verb == method and match:
                found = match.groupdict()
                if "repo" in found and (full := f"{found.pop('owner')}/{found.pop('repo')}") != self.repo:
                    if full in self._former:
                        raise self._moved(method, path.replace(f"/repos/{full}", "", 1))
                    raise Refusal(404, "Not Found")
                return handler, permission, found
        raise Refusal(404, "Not Found")

    def _moved(self, method: str, rest: str) -> Refusal:
        """https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects"""
        moved = Refusal(301 if method == "GET" else 307, "Moved Permanently")
        moved.headers = {"Location": f"{self.root}/repositories/{_REPOSITORY_ID}{rest}"}
        return moved

    def _who(self, authorization: str, needed: str) -> tuple[dict[str, Any], Mapping[str, str]]:
        token = authorization.partition(" ")[2]
        if needed == "nobody":
            return {}, {}
        if needed == "app":
            return self._app_jwt(token), {}
        if token not in self._tokens:
            raise Refusal(401, "Bad credentials")
        user, permissions, until = self._tokens[token]
        if time.time() > until:
            raise Refusal(401, "Bad credentials")
        name, _, level = needed.partition(":")
        has = min(permissions.get(name, "none"), self.granted.get(name, "none"), key=_LEVELS.index)
        if _LEVELS.index(has) < _LEVELS.index(level):
            raise Refusal(403, "Resource not accessible by integration")
        return user, permissions

    def _app_jwt(self, token: str) -> dict[str, Any]:
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(self.private_key.encode(), None).public_key()
        try:
            claims = jwt.decode(token, key, algorithms=["RS256"], leeway=60)
        except jwt.PyJWTError:
            raise Refusal(401, "A JSON web token could not be decoded") from None
        if claims["exp"] - claims["iat"] > 660 or str(claims["iss"]) != str(APP_ID):
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        return self._bots[f"{SLUG}[bot]"]

    def _mint(self, user: dict[str, Any], permissions: Mapping[str, str]) -> str:
        token = f"ghs_{secrets.token_urlsafe(30)}"
        self._tokens[token] = (user, permissions, time.time() + 3600)
        return token

    def _authorize_git(self, repository: str, token: str, writing: bool) -> int:
        with self._lock:
            try:
                self._who(f"token {token}", f"contents:{'write' if writing else 'read'}")
            except Refusal as refusal:
                return refusal.status
        return 200 if repository == self.repo else 404

    def _pushed(self, _repository: str) -> None:
        """Open pull requests of a branch that moved are brought up to date and announced."""
        for number, pull in self.pulls.items():
            head = self._ref(pull["head"])
            if pull["state"] == "open" and head not in ("", pull["sha"]):
                pull["sha"] = head
                self.send(
                    "pull_request", "synchronize", f"{SLUG}[bot]", pull_request=self._pull_payload(number)
                )

    # -- endpoints -----------------------------------------------------------------------------------

    def _make_routes(self) -> list[tuple[str, re.Pattern[str], str, Callable[..., tuple[int, Any]]]]:
        table: list[tuple[str, str, str, Callable[..., tuple[int, Any]]]] = [
            ("POST", "/app-manifests/{code}/conversions", "nobody", self.convert),
            ("GET", "/app", "app", self._get_app),
            ("GET", "/app/hook/config", "app", self._get_hook),
            ("GET", "/app/hook/deliveries", "app", self._list_deliveries),
            ("POST", "/app/hook/deliveries/{delivery}/attempts", "app", self._redeliver),
            ("POST", "/app/installations/{installation}/access_tokens", "app", self._access_token),
            ("GET", R + "/installation", "app", self._get_installation),
            ("GET", "/app/installations", "app", self._list_installations),
            ("GET", "/users/{login}", "metadata:read", self._get_user),
            ("GET", R, "metadata:read", self._get_repo),
            ("GET", R + "/collaborators/{login}/permission", "metadata:read", self._get_permission),
            ("GET", "/orgs/{org}/teams/{team}/memberships/{login}", "members:read", self._get_membership),
            ("GET", R + "/contents/{file}", "contents:read", self._get_content),
            ("GET", R + "/issues", "issues:read", self._list_issues),
            ("POST", R + "/issues", "issues:write", self._create_issue),
            ("GET", R + "/issues/{number}", "issues:read", self._get_issue),
            ("GET", R + "/issues/{number}/comments", "issues:read", self._list_comments),
            ("POST", R + "/issues/{number}/comments", "issues:write", self._create_comment),
            ("PATCH", R + "/issues/comments/{comment}", "issues:write", self._update_comment),
            ("POST", R + "/issues/{number}/reactions", "issues:write", self._react_to_issue),
            ("POST", R + "/issues/comments/{comment}/reactions", "issues:write", self._react),
            ("POST", R + "/pulls/comments/{comment}/reactions", "pull_requests:write", self._react),
            ("GET", R + "/labels/{label}", "issues:read", self._get_label),
            ("POST", R + "/labels", "issues:write", self._create_label),
            ("POST", R + "/issues/{number}/labels", "issues:write", self._put_labels),
            ("DELETE", R + "/issues/{number}/labels/{label}", "issues:write", self._drop_label),
            ("GET", R + "/pulls", "pull_requests:read", self._list_pulls),
            ("POST", R + "/pulls", "pull_requests:write", self._create_pull),
            ("GET", R + "/pulls/{number}", "pull_requests:read", self._get_pull),
            ("PATCH", R + "/pulls/{number}", "pull_requests:write", self._update_pull),
            ("GET", R + "/pulls/{number}/commits", "pull_requests:read", self._list_pull_commits),
            ("GET", R + "/pulls/{number}/reviews/{review}", "pull_requests:read", self._get_review),
            ("GET", R + "/pulls/{number}/comments", "pull_requests:read", self._list_review_comments),
            ("POST", R + "/pulls/{number}/comments/{comment}/replies", "pull_requests:write", self._reply),
            ("GET", R + "/commits/{sha}/check-runs", "checks:read", self._list_checks),
            ("GET", R + "/commits/{sha}/check-suites", "checks:read", self.list_suites),
            ("GET", R + "/actions/jobs/{job}/logs", "actions:read", self.job_logs),
            ("POST", R + "/actions/workflows/{workflow}/dispatches", "actions:write", self.dispatch),
            ("GET", R + "/actions/workflows/{workflow}/runs", "actions:read", self.list_workflow_runs),
            ("POST", R + "/actions/runs/{run}/cancel", "actions:write", self.cancel_workflow),
            ("POST", R + "/check-runs", "checks:write", self._create_check),
            ("PATCH", R + "/check-runs/{check}", "checks:write", self._update_check),
        ]
        return [
            (verb, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$"), permission, handler)
            for verb, path, permission, handler in table
        ]

    def _template(self, method: str, path: str, status: int = 200) -> Any:
        return self._api.example(method, path, status)

    def _get_app(self, _call: Call) -> tuple[int, Any]:
        return 200, {**self._template("get", "/app"), "id": APP_ID, "slug": SLUG, **self.card}

    def _get_hook(self, _call: Call) -> tuple[int, Any]:
        return 200, {**self._template("get", "/app/hook/config"), **self.hook}

    def _list_deliveries(self, call: Call) -> tuple[int, Any]:
        """Newest first; the cursor is the id below which the next page begins."""
        template = self._template("get", "/app/hook/deliveries")[0]
        below = int(call.query.get("cursor", 0)) or len(self.deliveries)
        size = min(int(call.query.get("per_page", 30)), self.largest_page)
        rows = list(enumerate(self.deliveries))[:below][::-1]
        if len(rows) > size:
            after = f"{self.root}/app/hook/deliveries?per_page={size}&cursor={rows[size - 1][0]}"
            call.answered["Link"] = f'<{after}>; rel="next"'
        return 200, [
            {
                **template,
                "id": number,
                "guid": each["guid"],
                "event": each["event"],
                "status": "OK" if each["status"] < 300 else "Invalid HTTP Response",
                "status_code": each["status"],
            }
            for number, each in rows[:size]
        ]

    def _redeliver(self, _call: Call, delivery: str) -> tuple[int, Any]:
        if int(delivery) >= len(self.deliveries):
            raise Refusal(404, "Not Found")
        lost = self.deliveries[int(delivery)]
        threading.Thread(target=self.deliver, args=(lost["event"], lost["guid"], lost["body"])).start()
        return 202, {}

    def _get_installation(self, _call: Call) -> tuple[int, Any]:
        return 200, {**self._template("get", R + "/installation"), "id": INSTALLATION, "app_id": APP_ID}

    def _list_installations(self, _call: Call) -> tuple[int, Any]:
        """The only installation, whose owner has granted what `granted` says."""
        [template, *_] = self._template("get", "/app/installations")
        account = {**template["account"], "login": self.repo.split("/")[0]}
        own = {"id": INSTALLATION, "app_id": APP_ID, "account": account, "permissions": dict(self.granted)}
        return 200, [{**template, **own}]

    def _access_token(self, call: Call, installation: str) -> tuple[int, Any]:
        asked = call.body.get("permissions") or self.granted
        name = self.repo.split("/")[1]
        if int(installation) != INSTALLATION:
            raise Refusal(404, "Not Found")
        if call.body.get("repositories", [name]) != [name]:
            raise Refusal(422, "There is at least one repository that does not exist or is not accessible")
        for kind, level in asked.items():
            if _LEVELS.index(level) > _LEVELS.index(self.granted.get(kind, "none")):
                raise Refusal(422, "The permissions requested are not granted to this installation.")
        token = self._mint(self._bots[f"{SLUG}[bot]"], {"metadata": "read", **asked})
        until = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, {
            "token": token,
            "expires_at": until,
            "permissions": asked,
            "repository_selection": "selected",
        }

    def _get_user(self, _call: Call, login: str) -> tuple[int, Any]:
        found = self._bots.get(login) or self._people.get(login, ({}, ""))[0]
        if not found:
            raise Refusal(404, "Not Found")
        return 200, {**self._template("get", "/users/{username}"), **found}

    def _get_repo(self, _call: Call) -> tuple[int, Any]:
        template = self._template("get", R)
        return 200, {
            **template,
            "full_name": self.repo,
            "name": self.repo.split("/")[1],
            "default_branch": self.default_branch,
        }

    def _get_content(self, _call: Call, file: str) -> tuple[int, Any]:
        blob = read_blob(self.bare, self.default_branch, file)
        if blob is None:
            raise Refusal(404, "Not Found")
        template = self._template("get", R + "/contents/{path}")
        template = next(iter(template)) if isinstance(template, list) else template
        content = base64.b64encode(blob).decode()
        return 200, {**template, "type": "file", "path": file, "encoding": "base64", "content": content}

    def _get_permission(self, _call: Call, login: str) -> tuple[int, Any]:
        if login not in self._people:
            raise Refusal(404, "Not Found")
        person, permission = self._people[login]
        template = self._template("get", R + "/collaborators/{username}/permission")
        user = {**template["user"], **person}
        return 200, {"permission": permission, "role_name": permission, "user": user}

    def _get_membership(self, _call: Call, org: str, team: str, login: str) -> tuple[int, Any]:
        if org != self.repo.partition("/")[0] or login not in self.teams.get(team, ()):
            raise Refusal(404, "Not Found")
        path = "/orgs/{org}/teams/{team_slug}/memberships/{username}"
        return 200, {**self._template("get", path), "role": "member", "state": "active"}

    # -- reactions, labels, GraphQL --------------------------------------------------------------------

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids
