"""From the label to pull request and check run against a GitHub that nobody of this project wrote.

Real App JWT, real installation tokens, webhooks signed and sent by the emulator.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.worker.processes import free_port
from tests.standins.emulator import OWNER, REPO, SLUG, Emulator
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.waiting import wait_until

SECRET = "the-emulators-secret"


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, BotUnderTest]]:
    folder = tmp_path_factory.mktemp("emulator")
    port = free_port()
    with Emulator(folder, CALC, f"http://127.0.0.1:{port}/webhooks/github", SECRET) as emulator:
        settings = emulator.settings(folder / "app.pem", SECRET)
        with BotUnderTest(settings, port) as bot:
            yield emulator, bot


def comments(emulator: Emulator, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = emulator.api("GET", f"/issues/{number}/comments")
    return found


def test_from_the_label_to_a_pull_request(github: tuple[Emulator, BotUnderTest]) -> None:
    emulator, bot = github
    bot.script([draft()], doubling())
    number = emulator.api("POST", "/issues", {"title": "Double numbers", "body": "4 becomes 8."})["number"]
    emulator.api("POST", f"/issues/{number}/comments", {"body": "Please keep `add` as it is."})
    emulator.api("POST", f"/issues/{number}/labels", {"labels": ["agent:implement"]})

    wait_until(lambda: len(comments(emulator, number)) == 2, "a first status comment")
    target = f"github:{OWNER}/{REPO}:issue:{number}"
    run = wait_until(lambda: bot.store.list_runs(target=target), "a run")[0]
    wait_until(
        lambda: bot.state(run.id).status != "active" and bot.store.reports.is_current(run.id), "its end"
    )
    state = bot.state(run.id)
    assert state.status == "done", (state.code, state.reason)
    assert state.requested is not None and state.verdict is not None
    assert [comment.body for comment in state.requested.order.comments] == ["Please keep `add` as it is."]

    pulls = emulator.api("GET", "/pulls?state=all")
    assert len(pulls) == 1
    assert pulls[0]["head"]["ref"] == f"agent/{number}-double-numbers"
    assert pulls[0]["head"]["sha"] == state.verdict.head_sha
    assert pulls[0]["user"]["login"] == f"{SLUG}[bot]"
    assert f"Closes #{number}\n" in pulls[0]["body"]
    assert re.search(r"\| Doubling(?:<br>[^|]*)? \| 🔴 failed \| 🟢 passed \|", pulls[0]["body"])
    checks = emulator.api("GET", f"/commits/{state.verdict.head_sha}/check-runs")["check_runs"]
    assert [(check["name"], check["conclusion"]) for check in checks] == [("scenarist", "success")]
    assert checks[0]["output"]["annotations_count"] == 1
    wait_until(lambda: "opened #" in comments(emulator, number)[-1]["body"], "the last status")
    said = comments(emulator, number)
    assert len(said) == 2
    assert said[1]["user"]["login"] == f"{SLUG}[bot]"
