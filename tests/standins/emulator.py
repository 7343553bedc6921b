"""The third-party GitHub emulator (npm `emulate`), which nobody of this project wrote, with git beside it.

It keeps issues, labels, comments, pull requests, check runs and Apps with real tokens, and signs and sends
its own webhooks. It has no git over HTTP: `GitServer` serves that, asks the emulator about each token, and
carries what is pushed over with the emulator's git data API, where equal content must get equal ids.
"""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.worker.processes import free_port
from runners.git.command import git
from tests.standins.git_http import GitServer
from tests.standins.npm import EMULATE, node
from tests.support.waiting import wait_until

OWNER, REPO, READER = "ada", "calc", "tri"
APP_ID, SLUG, INSTALLATION = 12345, "scenarist", 777
# Like GitHub it allows each token 5,000 requests an hour; long tests take more.
_REQUESTS, _TOKENS = 4500, 100
WHEN = "2026-11-01T10:00:00Z"


@cache
def make_key() -> str:
    """A private key for the App (PEM); one a process, since githubkit keeps an App's JWT for the process."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


class Emulator:
    """One emulator with one repository, ``ada/calc``, holding `files`; deliveries go to `webhook_url`."""

    def __init__(self, folder: Path, files: Mapping[str, str], webhook_url: str, secret: str) -> None:
        self._folder = folder
        self._files = files
        self._webhook_url = webhook_url
        self._secret = secret
        self.private_key = make_key()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._asked = 0
        self._carried: dict[str, str] = {}
        self._bare = folder / "git" / OWNER / f"{REPO}.git"
        self.git = GitServer(folder / "git", self._authorize, self._carry_over)

    def settings(self, key: Path, secret: str) -> dict[str, object]:
        """A bot's settings as the emulator's App; its private key is written to `key`."""
        key.write_text(self.private_key)
        return {
            "github_api_url": self.url,
            "github_git_url": self.git.url,
            "github_app_id": str(APP_ID),
            "github_private_key_file": str(key),
            "github_webhook_secret": secret,
        }

    def __enter__(self) -> "Emulator":
        seed = self._folder / "seed.yaml"
        seed.write_text(yaml.safe_dump(self._seed()))
        entry = EMULATE.folder / "dist" / "index.js"
        self._process = subprocess.Popen(
            [
                node(),
                str(entry),
                "start",
                "--service",
                "github",
                "--port",
                str(self._port),
                "--seed",
                str(seed),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait()
            self._begin()
            self.git.__enter__()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.git.__exit__(kind, error, trace)
        self._process.terminate()
        self._process.wait()

    def _seed(self) -> dict[str, Any]:
        app = {
            "app_id": APP_ID,
            "slug": SLUG,
            "name": "Scenarist",
            "private_key": self.private_key,
            "permissions": {
                "metadata": "read",
                "contents": "write",
                "issues": "write",
                "pull_requests": "write",
                "checks": "write",
            },
            "events": ["issues", "issue_comment", "pull_request_review", "pull_request_review_comment"],
            "webhook_url": self._webhook_url,
            "webhook_secret": self._secret,
            "installations": [
                {"installation_id": INSTALLATION, "account": OWNER, "repository_selection": "all"}
            ],
        }
        return {
            "tokens": {
                f"{login}-token-{number}": {"login": login, "scopes": ["repo"]}
                for login in (OWNER, READER)
                for number in range(_TOKENS)
            },
            "github": {
                "users": [{"login": OWNER, "email": "ada@e.x"}, {"login": READER, "email": "tri@e.x"}],
                "repos": [{"owner": OWNER, "name": REPO, "auto_init": True, "default_branch": "main"}],
                "apps": [app],
            },
        }

    def _wait(self) -> None:
        def answers() -> bool:
            try:
                httpx.get(f"{self.url}/rate_limit", timeout=60)
            except httpx.HTTPError:
                assert self._process.poll() is None, "the emulator ended"
                return False
            return True

        wait_until(answers, "the emulator")

    def api(self, method: str, path: str, body: Any = None, *, user: str = OWNER) -> Any:
        """One request as a person; fails on anything but success."""
        self._asked += 1
        answer = httpx.request(
            method,
            f"{self.url}/repos/{OWNER}/{REPO}{path}",
            json=body,
            headers={"Authorization": f"Bearer {user}-token-{self._asked // _REQUESTS}"},
            timeout=60,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def _begin(self) -> None:
        """The first commit, in git and through the API, with the same id in both."""
        self._bare.mkdir(parents=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", str(self._bare), git_dir=self._bare)
        tree = self._folder / "tree"
        for path, text in self._files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        dates = {"GIT_AUTHOR_DATE": WHEN, "GIT_COMMITTER_DATE": WHEN}
        git("add", "--all", git_dir=self._bare, work_tree=tree)
        git("commit", "--quiet", "--message", "Begin", git_dir=self._bare, work_tree=tree, env=dates)
        self._carry("main", force=True)

    def _authorize(self, repository: str, token: str, writing: bool) -> int:
        """Whether the emulator lets this token read or write the repository's contents."""
        headers = {"Authorization": f"Bearer {token}"}
        base = f"{self.url}/repos/{repository}"
        if not token or not httpx.get(f"{base}/git/ref/heads/main", headers=headers, timeout=60).is_success:
            return 401
        if not writing:
            return 200
        blob = {"content": "probe", "encoding": "utf-8"}
        tried = httpx.post(f"{base}/git/blobs", json=blob, headers=headers, timeout=60)
        return 200 if tried.is_success else 403

    def _carry_over(self, _repository: str) -> None:
        for branch in git(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", git_dir=self._bare
        ).split():
            self._carry(branch, force=False)

    def _carry(self, branch: str, *, force: bool) -> None:
        """Copy a branch's commits into the emulator, each with the id git gave it."""
        head = git("rev-parse", f"refs/heads/{branch}", git_dir=self._bare)
        if self._carried.get(branch) == head:
            return
        beyond = [f"^{each}" for each in self._carried.values()]
        for commit in git("rev-list", "--reverse", head, *beyond, git_dir=self._bare).split():
            self._carry_commit(commit)
        known = {ref["ref"] for ref in self.api("GET", "/git/matching-refs/heads")}
        if f"refs/heads/{branch}" in known:
            self.api("PATCH", f"/git/refs/heads/{branch}", {"sha": head, "force": force})
        else:
            self.api("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": head})
        self._carried[branch] = head

    def _carry_commit(self, commit: str) -> None:
        listing = git("ls-tree", "-r", "-z", commit, git_dir=self._bare)
        entries = []
        for line in filter(None, listing.split("\0")):
            meta, path = line.split("\t", 1)
            mode, _, sha = meta.split()
            text = git("cat-file", "blob", sha, git_dir=self._bare, strip=False)
            made = self.api("POST", "/git/blobs", {"content": text, "encoding": "utf-8"})
            assert made["sha"] == sha
            entries.append({"path": path, "mode": mode, "type": "blob", "sha": sha})
        tree = self.api("POST", "/git/trees", {"tree": entries})
        fields = git(
            "show", "-s", "--format=%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%P", commit, git_dir=self._bare, strip=False
        )
        author, email, date, committer, committer_email, committed, parents = fields.split("\n")[:7]
        message = git("show", "-s", "--format=%B", commit, git_dir=self._bare)
        made = self.api(
            "POST",
            "/git/commits",
            {
                "message": message.rstrip("\n") + "\n",
                "tree": tree["sha"],
                "parents": parents.split(),
                "author": {"name": author, "email": email, "date": date},
                "committer": {"name": committer, "email": committer_email, "date": committed},
            },
        )
        assert made["sha"] == commit, "equal content has equal ids"
