"""The part of GitHub and GitLab that people meet who sign in: OAuth with PKCE, and what their tokens may read.

It is strict: a code works once, with the client, address and verifier it was given for.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
https://docs.gitlab.com/api/oauth2/#authorization-code-with-proof-key-for-code-exchange-pkce
"""

import base64
import hashlib
import json
import secrets
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.standins.serving import LoopbackServer

CLIENT = {"client_id": "Iv1.client", "client_secret": "a-client-secret"}
# Person -> repository -> (GitHub's permissions, GitLab's level).
RIGHTS = {
    "ada": {"octo/shop": ({"admin": False, "push": True, "pull": True}, 30)},
    "tri": {"octo/shop": ({"admin": False, "push": False, "pull": True}, 20)},
    "eve": {},
}


class PeopleServer(LoopbackServer):
    """One forge; `person` is who sits at the browser and says yes."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.person = "ada"
        self.comments: list[tuple[str, str, str]] = []
        self.broken = False
        self.asked = 0
        self._codes: dict[str, tuple[str, dict[str, str]]] = {}
        self._tokens: dict[str, str] = {}
        super().__init__(self._handler())

    def settings(self) -> dict[str, str]:
        """The settings of a bot that people sign in to with this forge."""
        if self.kind == "github":
            named = {"github_api_url": f"{self.root}/api/v3"}
        else:
            named = {"gitlab_url": self.root}
        return {**named, **{f"{self.kind}_{name}": value for name, value in CLIENT.items()}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._do("GET")

            def do_POST(self) -> None:
                self._do("POST")

            def _do(self, method: str) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlsplit(self.path)
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                status, body = server.answer(
                    method, url.path, dict(parse_qsl(url.query)), raw.decode(), token
                )
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", body)
                    body = ""
                content = json.dumps(body).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(self, method: str, path: str, query: dict[str, str], raw: str, token: str) -> tuple[int, Any]:
        """(status, body) of a request."""
        if path in ("/login/oauth/authorize", "/oauth/authorize"):
            code = secrets.token_urlsafe(12)
            if query["response_type"] != "code" or query["code_challenge_method"] != "S256":
                return 400, {"error": "invalid_request"}
            self._codes[code] = (self.person, query)
            return 302, f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        if path in ("/login/oauth/access_token", "/oauth/token"):
            return self._exchange(dict(parse_qsl(raw)))
        who = self._tokens.get(token)
        if self.broken:
            return 502, {"message": "Unicorn!"}
        if who is None:
            return 401, {"message": "Bad credentials"}
        path = unquote(path.removeprefix("/api/v3").removeprefix("/api/v4"))
        if path == "/user":
            return 200, {"login" if self.kind == "github" else "username": who}
        repo = path.removeprefix("/repos/" if self.kind == "github" else "/projects/")
        end = "/issues/12/comments" if self.kind == "github" else "/issues/12/notes"
        rights = RIGHTS[who].get(repo.removesuffix(end))
        if rights is None:
            return 404, {"message": "Not Found"}
        if method == "POST" and repo.endswith(end):
            self.comments.append((who, repo.removesuffix(end), json.loads(raw)["body"]))
            return 201, {"id": 1}
        self.asked += 1
        if self.kind == "github":
            return 200, {"full_name": repo, "permissions": rights[0]}
        level = {"project_access": None, "group_access": {"access_level": rights[1]}}
        return 200, {"path_with_namespace": repo, "permissions": level}

    def _exchange(self, given: dict[str, str]) -> tuple[int, Any]:
        who, asked = self._codes.pop(given.get("code", ""), ("", {}))
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        good = (
            asked and asked["redirect_uri"] == given["redirect_uri"] and asked["code_challenge"] == challenge
        )
        if not good or any(given.get(name) != value for name, value in CLIENT.items()):
            # GitHub answers 200 with an error in it.
            return (200 if self.kind == "github" else 400), {"error": "bad_verification_code"}
        token = f"token-of-{who}-{secrets.token_urlsafe(12)}"
        self._tokens[token] = who
        return 200, {"access_token": token, "token_type": "bearer"}
