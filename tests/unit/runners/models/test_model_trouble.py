"""Both model clients, with their real SDKs, against a server that misbehaves.

What they would wait is noted instead.
"""

import json
import time
from typing import Any

import pytest

from runners.models.anthropic import AnthropicModel
from runners.models.chat import (
    ChatModel,
    Message,
    ModelRefusedRequest,
    ModelUnavailable,
    Reply,
    ToolCall,
    ToolSchema,
)
from runners.models.vllm import VllmModel
from tests.standins.troubled_server import Trouble, TroubledServer
from tests.support.waiting import HANG_S

START = [Message(role="user", text="Go.")]
LOOK = ToolSchema(name="look", description="Look.", parameters={"type": "object", "properties": {}})
CALL = ToolCall(id="toolu_1", name="look", arguments='{"path": "a/rather/long/path/to/a/file.py"}')
REPLY = Reply(text="I look at the file now.", tool_calls=(CALL,), stop="tools")


class NoSleep:
    """The module `time`, but for `sleep`: it returns at once, and its seconds are noted in `pauses`."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the SDKs wait between their attempts, in seconds."""
    noted = NoSleep()
    for sdk in ("openai", "anthropic"):
        monkeypatch.setattr(f"{sdk}._base_client.time", noted)
    return noted.pauses


def ask(kind: str, server: TroubledServer, idle_s: float = HANG_S) -> Reply:
    model: ChatModel = (
        VllmModel(f"{server.root}/v1", "scripted", idle_s=idle_s)
        if kind == "vllm"
        else AnthropicModel("claude-test", api_key="sk-test", url=server.root, idle_s=idle_s)
    )
    return model.reply(START, [LOOK], max_tokens=500)


BOTH = pytest.mark.parametrize("kind", ["vllm", "anthropic"])


@BOTH
@pytest.mark.parametrize("trouble", [429, 500, 502, 503, 529, 408])
def test_trouble_that_passes_is_not_noticed(kind: str, trouble: Trouble) -> None:
    with TroubledServer(REPLY, [trouble, trouble, "fine"]) as server:
        assert ask(kind, server).tool_calls == (CALL,)
        assert server.requests == 3


@BOTH
def test_retry_after_is_obeyed(kind: str, pauses: list[float]) -> None:
    with TroubledServer(REPLY, [429, "fine"], retry_after="7") as server:
        ask(kind, server)
    assert pauses == [7]


@BOTH
def test_the_pauses_between_attempts_grow(kind: str, pauses: list[float]) -> None:
    with TroubledServer(REPLY, [500] * 3 + ["fine"], retry_after="") as server:
        ask(kind, server)
    assert len(pauses) == 3 and 0.3 <= pauses[0] < pauses[1] < pauses[2]


@BOTH
@pytest.mark.parametrize("trouble", [429, 500, 529])
def test_trouble_that_stays_is_told(kind: str, trouble: Trouble) -> None:
    with (
        TroubledServer(REPLY, [trouble]) as server,
        pytest.raises(ModelUnavailable, match=f"kept answering {trouble}"),
    ):
        ask(kind, server)
    assert server.requests == 5


@BOTH
@pytest.mark.parametrize("trouble", [400, 401, 404, 422])
def test_a_refusal_is_not_repeated(kind: str, trouble: Trouble) -> None:
    with TroubledServer(REPLY, [trouble]) as server, pytest.raises(ModelRefusedRequest, match=str(trouble)):
        ask(kind, server)
    assert server.requests == 1


@BOTH
def test_a_slow_stream_is_waited_for(kind: str) -> None:
    """It takes longer than the idle time-out as a whole, and never pauses for nearly as long."""
    idle_s, pause_s = 3.0, 0.3
    part = 30 if kind == "vllm" else 10  # characters of an argument in one event of the stand-in
    long = CALL.model_copy(update={"arguments": json.dumps({"path": "x" * part * 11})})
    reply = REPLY.model_copy(update={"tool_calls": (long,)})
    assert len(long.arguments) / part * pause_s > idle_s
    with TroubledServer(reply, ["slow"], pause_s=pause_s) as server:
        assert ask(kind, server, idle_s).tool_calls == (long,)


@BOTH
@pytest.mark.parametrize("trouble", ["half-open", "cut", "html", "json", "empty", "error", "nonsense"])
def test_half_an_answer_is_none(kind: str, trouble: Trouble) -> None:
    idle_s = 1.0 if trouble == "half-open" else HANG_S
    with TroubledServer(REPLY, [trouble]) as server, pytest.raises(ModelUnavailable):
        ask(kind, server, idle_s)


@BOTH
def test_two_calls_in_one_reply_are_two(kind: str) -> None:
    other = ToolCall(id="toolu_2", name="look", arguments='{"path": "b.py"}')
    with TroubledServer(REPLY.model_copy(update={"tool_calls": (CALL, other)}), ["fine"]) as server:
        assert ask(kind, server).tool_calls == (CALL, other)
