"""A model is asked for the commands of the set-up, at most three times."""

import json
from types import SimpleNamespace
from typing import Any

from runners.contract.events import ModelReplied
from runners.environment.finding.sources import Sources
from runners.environment.install import EnvironmentBroken
from runners.environment.readiness import Readiness
from runners.loop.prompting import fence
from runners.loop.single_requests.set_up import TRIES, ask_for_setup
from runners.models.chat import Message, Reply

SOURCES = Sources.of_files(
    {"README.md": f"Run make deps. {fence('run')} end", "pkg/a.py": "secret", "Makefile": "deps:"}
)
NOT_READY = Readiness(ready=False, cause="pytest misses `x`")


class Model:
    """Answers with the given texts and keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.asked: list[list[Message]] = []

    def ask(self, role: str, phase: Any, messages: list[Message], **_: Any) -> ModelReplied:
        self.asked.append(list(messages))
        return ModelReplied(phase=phase, reply=Reply(text=self._texts.pop(0)), seconds=1)


def answer(*commands: str) -> str:
    return json.dumps({"commands": commands})


def asked(model: Model, outcomes: dict[tuple[str, ...], Any]) -> tuple[tuple[str, ...], int]:
    def attempt(commands: tuple[str, ...]) -> Readiness:
        found = outcomes[commands]
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Readiness)
        return found

    services: Any = SimpleNamespace(ask=model.ask)
    commands, replies = ask_for_setup("run", services, SOURCES, NOT_READY, attempt)
    return commands, len(replies)


def test_what_worked_is_returned_after_what_did_not() -> None:
    model = Model("no JSON", answer("pip install x"), answer("pip install x y"))
    broken = EnvironmentBroken("`pip install x` failed: no such package.")
    outcomes = {("pip install x",): broken, ("pip install x y",): Readiness()}
    assert asked(model, outcomes) == (("pip install x y",), 3)
    first, last = model.asked[0], model.asked[-1]
    assert (
        "misses `x`" in first[1].text and "Run make deps" in first[1].text and "secret" not in first[1].text
    )
    assert first[1].text.count(fence("run")) == 2, "a file cannot end the block of data"
    assert "no such package" in last[-1].text


def test_there_are_three_tries_and_no_more() -> None:
    model = Model(*[answer("true")] * (TRIES + 1))
    assert asked(model, {("true",): NOT_READY}) == ((), TRIES)
    assert "still cannot be run" in model.asked[-1][-1].text


def test_answers_of_another_shape_are_no_commands() -> None:
    model = Model('{"commands": "true"}', '{"commands": [1, " "]}', "[]")
    assert asked(model, {}) == ((), 3)
