"""Post one signed delivery repeatedly with `wrk`, each time with another GUID."""

import hashlib
import hmac
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECRET = "bench-secret"

# The body is constant, so that the generator need not sign; the GUID distinguishes the deliveries.
_SCRIPT = """
local n = 0
local id = ""
function setup(thread)
  thread:set("number", math.random(1, 1000000000))
end
function init(args)
  local f = io.open(args[1], "rb")
  wrk.body = f:read("*a")
  f:close()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["X-GitHub-Event"] = "issues"
  wrk.headers["X-Hub-Signature-256"] = args[2]
  id = args[3] .. "-" .. tostring(number)
end
function request()
  n = n + 1
  wrk.headers["X-GitHub-Delivery"] = id .. "-" .. n
  return wrk.format()
end
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format("RESULT %d %d %f %f %d", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Measured:
    """Requests a second, latencies in milliseconds, all answers, and those that were not 2xx or 3xx."""

    rate: float
    p50: float
    p99: float
    answers: int
    errors: int


def payload(label: str) -> bytes:
    """Return an ``issues.labeled`` delivery of about 12 kB, like GitHub's for an issue with some text."""
    user = {
        "login": "ada",
        "id": 5,
        "node_id": "MDQ6VXNlcjU=",
        "type": "User",
        "site_admin": False,
        **{f"{name}_url": f"https://api.github.com/users/ada/{name}" for name in _USER_URLS},
    }
    repository = {
        "id": 17,
        "name": "shop",
        "full_name": "octo/shop",
        "private": False,
        "owner": user,
        **{f"{name}_url": f"https://api.github.com/repos/octo/shop/{name}" for name in _REPO_URLS},
    }
    wanted: dict[str, Any] = {"id": 1, "name": label, "color": "d73a4a", "default": False}
    issue = {
        "id": 1,
        "number": 7,
        "title": "Free delivery for large orders",
        "user": user,
        "labels": [wanted],
        "state": "open",
        "assignees": [user],
        "comments": 0,
        "created_at": "2026-11-01T10:00:00Z",
        "updated_at": "2026-11-01T10:00:00Z",
        "body": "Customers ask before they order what delivery will cost. " * 100,
    }
    return json.dumps(
        {
            "action": "labeled",
            "issue": issue,
            "label": wanted,
            "repository": repository,
            "sender": user,
            "installation": {"id": 99, "node_id": "MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9uOTk="},
        }
    ).encode()


_USER_URLS = [
    "avatar",
    "followers",
    "following",
    "gists",
    "starred",
    "subscriptions",
    "organizations",
    "repos",
    "events",
    "received",
    "html",
]
_REPO_URLS = [
    "forks",
    "keys",
    "collaborators",
    "teams",
    "hooks",
    "issue_events",
    "events",
    "assignees",
    "branches",
    "tags",
    "blobs",
    "git_tags",
    "git_refs",
    "trees",
    "statuses",
    "languages",
    "stargazers",
    "contributors",
    "subscribers",
    "subscription",
    "commits",
    "git_commits",
    "comments",
    "issue_comment",
    "contents",
    "compare",
    "merges",
    "archive",
    "downloads",
    "issues",
    "pulls",
    "milestones",
    "notifications",
    "labels",
    "releases",
    "deployments",
    "git",
    "ssh",
    "clone",
    "svn",
    "html",
]


def wrk() -> str:
    """Return the path of the load generator; exit with one sentence if it is missing."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("The bench needs wrk: install Debian's package wrk.")
    return found


def measure(url: str, body: bytes, *, connections: int, seconds: int, name: str) -> Measured:
    """Post `body` to `url` over `connections` connections for `seconds`."""
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    with tempfile.TemporaryDirectory() as tmp:
        script, content = Path(tmp) / "post.lua", Path(tmp) / "body"
        script.write_text(_SCRIPT)
        content.write_bytes(body)
        done = subprocess.run(
            [
                *(
                    wrk(),
                    "-t1",
                    f"-c{connections}",
                    f"-d{seconds}s",
                    "--timeout",
                    "10s",
                    "-s",
                    str(script),
                    url,
                ),
                *("--", str(content), signature, name),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)", done.stdout)
    if found is None:
        raise SystemExit(f"wrk said: {done.stdout[-500:]}")
    answers, micros, p50, p99, errors = map(float, found.groups())
    return Measured(answers / (micros / 1e6), p50 / 1000, p99 / 1000, int(answers), int(errors))
