"""Both model clients, with their real SDKs, against a server that misbehaves."""

from itertools import pairwise

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

IDLE_S = 1.0
START = [Message(role="user", text="Go.")]
LOOK = ToolSchema(name="look", description="Look.", parameters={"type": "object", "properties": {}})
CALL = ToolCall(id="toolu_1", name="look", arguments='{"path": "a/rather/long/path/to/a/file.py"}')
REPLY = Reply(text="I look at the file now.", tool_calls=(CALL,), stop="tools")


def client(kind: str, server: TroubledServer) -> ChatModel:
    if kind == "vllm":
        return VllmModel(f"{server.root}/v1", "scripted", idle_s=IDLE_S)
    return AnthropicModel("claude-test", api_key="sk-test", url=server.root, idle_s=IDLE_S)


def ask(kind: str, server: TroubledServer) -> Reply:
    return client(kind, server).reply(START, [LOOK], max_tokens=500)


BOTH = pytest.mark.parametrize("kind", ["vllm", "anthropic"])


@BOTH
@pytest.mark.parametrize("trouble", [429, 500, 502, 503, 529, 408])
def test_trouble_that_passes_is_not_noticed(kind: str, trouble: Trouble) -> None:
    with TroubledServer(REPLY, [trouble, trouble, "fine"], retry_after="0.05") as server:
        assert ask(kind, server).tool_calls == (CALL,)
        assert len(server.at) == 3


@BOTH
def test_retry_after_is_obeyed(kind: str) -> None:
    with TroubledServer(REPLY, [429, "fine"], retry_after="2") as server:
        ask(kind, server)
        assert server.at[1] - server.at[0] >= 2


@BOTH
def test_the_pauses_between_attempts_grow(kind: str) -> None:
    with TroubledServer(REPLY, [500] * 3 + ["fine"], retry_after="") as server:
        ask(kind, server)
        pauses = [later - earlier for earlier, later in pairwise(server.at)]
        assert pauses[0] >= 0.3 and pauses[2] > pauses[0]


@BOTH
@pytest.mark.parametrize("trouble", [429, 500, 529])
def test_trouble_that_stays_is_told(kind: str, trouble: Trouble) -> None:
    with (
        TroubledServer(REPLY, [trouble], retry_after="0.05") as server,
        pytest.raises(ModelUnavailable, match=f"kept answering {trouble}"),
    ):
        ask(kind, server)
    assert len(server.at) == 5


@BOTH
@pytest.mark.parametrize("trouble", [400, 401, 404, 422])
def test_a_refusal_is_not_repeated(kind: str, trouble: Trouble) -> None:
    with TroubledServer(REPLY, [trouble]) as server, pytest.raises(ModelRefusedRequest, match=str(trouble)):
        ask(kind, server)
    assert len(server.at) == 1


@BOTH
def test_a_slow_stream_is_waited_for(kind: str) -> None:
    """It takes longer than the idle time-out as a whole, and never pauses for as long."""
    with TroubledServer(REPLY, ["slow"]) as server:
        assert ask(kind, server).tool_calls == (CALL,)


@BOTH
@pytest.mark.parametrize("trouble", ["half-open", "cut", "html", "json", "empty", "error", "nonsense"])
def test_half_an_answer_is_none(kind: str, trouble: Trouble) -> None:
    with TroubledServer(REPLY, [trouble]) as server, pytest.raises(ModelUnavailable):
        ask(kind, server)


@BOTH
def test_two_calls_in_one_reply_are_two(kind: str) -> None:
    other = ToolCall(id="toolu_2", name="look", arguments='{"path": "b.py"}')
    with TroubledServer(REPLY.model_copy(update={"tool_calls": (CALL, other)}), ["fine"]) as server:
        assert ask(kind, server).tool_calls == (CALL, other)
