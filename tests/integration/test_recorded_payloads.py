"""Every payload GitHub ever recorded, posted to the running app: none is an error of ours."""

import hashlib
import hmac
import json
from collections import Counter
from pathlib import Path

import httpx

from bot.forges.events import IssueLabelled, ReviewSubmitted
from bot.forges.github.webhooks.receiver import parse
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from tests.standins.octokit_payloads import COUNT, payloads
from tests.support.web_app import SECRET, Running


def test_every_recorded_payload_is_taken(tmp_path: Path) -> None:
    store = Store(connect(f"sqlite:///{tmp_path / 'web.db'}"))
    migrate(store.engine)
    answers: Counter[int] = Counter()
    counted = 0
    with Running(store, lambda ids: None) as web, httpx.Client() as client:
        for server, event, payload in payloads():
            counted += server == "api.github.com"
            body = json.dumps(payload).encode()
            signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
            headers = {
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": f"{server}-{sum(answers.values())}",
                "X-Hub-Signature-256": signature,
            }
            answer = client.post(f"{web.url}/webhooks/github", content=body, headers=headers)
            answers[answer.status_code] += 1
            assert answer.status_code == 202, f"{server} {event}: {answer.text}"
    assert counted == COUNT
    store.engine.dispose()


def test_the_events_we_use_are_understood() -> None:
    found: Counter[str] = Counter()
    for _server, event, payload in payloads():
        if event == "issues" and payload["action"] == "labeled":
            read = parse(event, json.dumps(payload).encode(), payload["label"]["name"])
            assert isinstance(read, IssueLabelled)
            assert (read.number, read.title) == (payload["issue"]["number"], payload["issue"]["title"])
            assert read.sender.id == payload["sender"]["id"] and read.at
            found["labelled"] += 1
        if event == "pull_request_review" and payload["action"] == "submitted":
            head = {**payload["pull_request"]["head"], "ref": "agent/1-x"}
            head["repo"] = payload["repository"]
            review = {**payload["review"], "state": "changes_requested"}
            ours = {
                **payload,
                "review": review,
                "pull_request": {**payload["pull_request"], "head": head},
            }
            read = parse(event, json.dumps(ours).encode(), "x")
            assert isinstance(read, ReviewSubmitted)
            found["reviewed"] += 1
    assert found["labelled"] >= 4 and found["reviewed"] >= 5, found
