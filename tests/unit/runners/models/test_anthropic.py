"""The Anthropic adapter with its real SDK against a strict stand-in of the Messages API."""

import json
import threading

import pytest

from gherkin.errors import Cancelled
from runners.loop.conversation import as_message
from runners.models.anthropic import AnthropicModel
from runners.models.chat import Message, ModelRefusedRequest, Reply, TokenUsage, ToolCall, ToolSchema
from tests.standins.messages_server import MessagesServer
from tests.standins.troubled_server import TroubledServer
from tests.support.waiting import HANG_S

HEAD = [Message(role="system", text="You are an engineer."), Message(role="user", text="Do it.")]
LOOK = ToolSchema(
    name="look",
    description="Look.",
    parameters={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
CALLS = (
    ToolCall(id="toolu_1", name="look", arguments='{"path": "a.py"}'),
    ToolCall(id="toolu_2", name="look", arguments='{"path": "b.py"}'),
)
USAGE = TokenUsage(prompt_tokens=120, completion_tokens=30, cached_tokens=100)


def model(server: MessagesServer, key: str = "sk-test") -> AnthropicModel:
    return AnthropicModel("claude-test", api_key=key, url=server.url, idle_s=10)


def test_a_conversation_with_parallel_calls() -> None:
    turns = [Reply(text="Looking.", tool_calls=CALLS, usage=USAGE), Reply(text="Done.", usage=USAGE)]
    with MessagesServer(turns) as server:
        first = model(server).reply(HEAD, [LOOK])
        assert (first.text, first.stop, first.usage, first.model) == (
            "Looking.",
            "tools",
            USAGE,
            "claude-test",
        )
        assert [json.loads(call.arguments)["path"] for call in first.tool_calls] == ["a.py", "b.py"]
        results = [Message(role="tool", text="seen", tool_call_id=call.id) for call in first.tool_calls]
        hint = Message(role="user", text="Go on.")
        last = model(server).reply([*HEAD, as_message(first), *results, hint], [LOOK])
        assert (last.text, last.stop) == ("Done.", "end")
        assert server.requests[0]["system"] == "You are an engineer."
        assert server.requests[0]["tools"][0]["input_schema"] == LOOK.parameters
        kinds = [block["type"] for block in server.requests[1]["messages"][2]["content"]]
        assert kinds == ["tool_result", "tool_result", "text"]


def test_an_empty_turn_is_sent_as_one_that_is_not() -> None:
    with MessagesServer([Reply(text="Yes.")]) as server:
        turns = [*HEAD, Message(role="assistant", text=""), Message(role="user", text="Go on.")]
        assert model(server).reply(turns).text == "Yes."


def test_a_schema_answer_is_a_forced_call() -> None:
    answer = ToolCall(id="toolu_1", name="answer", arguments='{"name": "x"}')
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    with MessagesServer([Reply(tool_calls=(answer,))]) as server:
        reply = model(server).reply(HEAD, schema=schema)
        assert json.loads(reply.text) == {"name": "x"}
        assert (reply.tool_calls, reply.stop) == ((), "end")
        assert server.requests[0]["tool_choice"] == {"type": "tool", "name": "answer"}


@pytest.mark.parametrize("stop", ["length", "refusal"])
def test_stop_reasons(stop: str) -> None:
    with MessagesServer([Reply.model_validate({"text": "Hm", "stop": stop})]) as server:
        assert model(server).reply(HEAD).stop == stop


def test_an_overloaded_server_is_asked_again() -> None:
    with MessagesServer([529, 503, Reply(text="Now.")]) as server:
        assert model(server).reply(HEAD).text == "Now."


def test_a_refused_request_names_the_reason_and_not_the_key() -> None:
    with MessagesServer([Reply(text="x")]) as server:
        with pytest.raises(ModelRefusedRequest) as refused:
            model(server, key="sk-wrong-secret").reply(HEAD)
        assert "401" in str(refused.value) and "sk-wrong-secret" not in str(refused.value)


def test_a_request_can_be_cancelled() -> None:
    """The server never answers, so a reply that waited for it would not come back."""
    cancel = threading.Event()
    with TroubledServer(Reply(text="Never."), ["silent"], asked=cancel.set) as server:
        slow = AnthropicModel("claude-test", api_key="sk", url=server.root, idle_s=HANG_S)
        with pytest.raises(Cancelled):
            slow.reply(HEAD, cancel=cancel)
