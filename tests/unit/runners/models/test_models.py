"""Which model does what, and how a server is asked for calls."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.config.models import ModelsInvalid, load_models, read_models
from bot.config.settings import Settings
from runners.models.chat import (
    Message,
    ModelRefusedRequest,
    ModelUnavailable,
    Reply,
    TokenUsage,
    ToolCall,
    ToolSchema,
)
from runners.models.probe import PROBE, Profile, probe, remembered
from runners.models.rescue import rescue
from runners.models.roster import Roster, RuntimeIncomplete
from runners.models.runtimes import AgentSpec, ModelsConfig, Prices, RuntimeSpec
from runners.models.xml import XmlTools, as_text
from tests.standins.chat_server import ChatServer, call

PAGE = (Path(__file__).parents[4] / "docs" / "models.md").read_text(encoding="utf-8")
TWO = {
    "here": RuntimeSpec(provider="vllm", url="http://127.0.0.1:1/v1"),
    "there": RuntimeSpec(provider="anthropic"),
}


# --- who does what


def test_hybrid_specifies_with_the_strong_model_and_implements_with_the_local_one() -> None:
    config = ModelsConfig(runtimes=TWO)
    assert config.agent("analyst", "hybrid") == AgentSpec(runtime="there")
    assert config.agent("driver", "hybrid") == AgentSpec(runtime="here", escalate=("there",))


def test_what_the_file_says_of_a_role_holds() -> None:
    config = ModelsConfig(runtimes=TWO, agents={"driver": AgentSpec(runtime="there")})
    assert config.agent("driver", "hybrid").runtime == "there"
    assert config.agent("analyst", "local").runtime == "here"


def test_a_mode_without_its_model_is_an_error_with_a_code(tmp_path: Path) -> None:
    roster = Roster(ModelsConfig(runtimes={"here": TWO["here"]}), "hybrid", {}, tmp_path)
    with pytest.raises(
        RuntimeIncomplete, match="analyst has no model in hybrid mode: no runtime has the provider anthropic"
    ):
        roster.engine("analyst")


def test_costs_follow_from_prices_and_what_a_cache_served() -> None:
    prices = Prices(input=3, cached=0.3, output=15)
    used = TokenUsage(prompt_tokens=1_000_000, cached_tokens=500_000, completion_tokens=100_000)
    assert prices.cost(used) == pytest.approx(1.5 + 0.15 + 1.5)


def test_settings_alone_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_RUNTIME_MODE", "hybrid")
    monkeypatch.setenv("SCENARIST_ANTHROPIC_API_KEY", "sk-x")
    config, keys = load_models(Settings())
    assert set(config.runtimes) == {"local", "anthropic"} and keys["anthropic"] == "sk-x"
    monkeypatch.delenv("AGENT_RUNTIME_MODE")
    monkeypatch.setenv("SCENARIST_RUNTIME", "vllm")
    assert Settings().runtime == "local", "the old name goes on working"


# --- the models file


def test_the_documented_file_is_valid_and_names_every_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "models.yml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    monkeypatch.setenv("QWEN_KEY", "q")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a")
    config, keys = load_models(Settings(models_file=path))
    assert keys == {"qwen": "q", "claude": "a"}
    assert config.agent("driver", "local").escalate == ("claude",)
    for model in (RuntimeSpec, AgentSpec, Prices, ModelsConfig):
        for key in model.model_fields:
            assert re.search(rf"\b{key}:", PAGE), key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "runtimes:\n  a:\n    provider: openai",
            "models.yml line 3: runtimes.a.provider should be one of 'vllm', 'anth",
        ),
        (
            "runtimes:\n  a:\n    provider: vllm\n    modell: x",
            "line 4: runtimes.a.modell is not known here. Known keys: context_length, idle_seconds, key",
        ),
        (
            "runtimes:\n  a: {provider: vllm}\nagents:\n  pilot: {runtime: a}",
            "line 4: agents.pilot should be one of 'analyst', 'driver', 'navigator', 'reviewer'",
        ),
        (
            "runtimes:\n  a: {provider: vllm}\nagents:\n  driver: {runtime: b}",
            "models.yml: agents.driver names the runtime b, which is none of a",
        ),
        (
            "runtimes:\n  a: {provider: vllm, key: sk-123}",
            "line 2: runtimes.a.key should hold keys and values",
        ),
        ("", "models.yml: runtimes is missing"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "models.yml"
    path.write_text(text)
    with pytest.raises(ModelsInvalid) as error:
        read_models(path)
    assert says in error.value.message


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "models.yml"
    path.write_text("runtimes:\n  a: {provider: vllm, key: {env: NOT_SET_AT_ALL}}")
    with pytest.raises(ModelsInvalid, match=r"runtimes\.a\.key: NOT_SET_AT_ALL is empty or not set"):
        load_models(Settings(models_file=path))
    with pytest.raises(ModelsInvalid, match="cannot be read"):
        read_models(tmp_path / "none.yml")


# --- the probe


class Server:
    """A model that answers with what `says` gives for the last message and the tools of a request."""

    name = "fake"

    def __init__(self, native: object = None, text: str = "", schema: str = "{}") -> None:
        self._native, self._text, self._schema = native, text, schema
        self.asked: list[str] = []

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema] = (),
        *,
        schema: dict[str, Any] | None = None,
        choice: str = "auto",
        max_tokens: int = 8192,
        cancel: object = None,
    ) -> Reply:
        self.asked.append(messages[-1].text)
        if schema is not None:
            return Reply(text=self._schema)
        if tools:
            if isinstance(self._native, Exception):
                raise self._native
            assert isinstance(self._native, Reply | None)
            return self._native or Reply(text="Sure, I can help you with that!")
        return Reply(text=self._text)


def two_calls() -> Reply:
    calls = (call(PROBE, word="marigold"), call(PROBE, word="tulip"))
    return Reply(tool_calls=calls, stop="tools")


XML = f"<tool_call><name>{PROBE}</name><arguments><word>marigold</word></arguments></tool_call>"


@pytest.mark.parametrize(
    ("server", "tools", "found"),
    [
        (Server(two_calls()), "native", "a native call came"),
        (Server(None, XML), "xml", "but one in XML"),
        (Server(ModelRefusedRequest("tools need --enable-auto-tool-choice"), XML), "xml", "but one in XML"),
        (Server(ModelRefusedRequest("no tools"), "Hello!"), "xml", "the server refuses tools"),
        (
            Server(
                Reply(
                    text=(
                        f'<tool_call>\n{{"name": "{PROBE}", "arguments": {{"word": '
                        f'"marigold"}}}}\n</tool_call>'
                    )
                )
            ),
            "native",
            "a call came as text",
        ),
        (Server(Reply(tool_calls=(call(PROBE, word="rose"),)), "Hello!"), "native", "no call came by either"),
        (Server(Reply(tool_calls=(call("other", word="marigold"),)), XML), "xml", "but one in XML"),
        (
            Server(Reply(tool_calls=(ToolCall(id="1", name=PROBE, arguments="{"),)), XML),
            "xml",
            "but one in XML",
        ),
    ],
)
def test_a_probe_finds_how_tools_are_called(server: Server, tools: str, found: str) -> None:
    profile = probe(server, "deployment", 4096)
    assert profile.tools == tools and found in profile.found
    assert profile.context_length == 4096


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        ('{"word": "marigold", "letters": 8}', True),
        ('{"word": "marigold", "letters": "8"}', False),
        ('{"word": "marigold", "letters": true}', False),
        ("[]", False),
        ("Sure!", False),
    ],
)
def test_a_probe_finds_whether_answers_keep_to_a_schema(schema: str, kept: bool) -> None:
    assert probe(Server(two_calls(), schema=schema), "d", 0).schema_output is kept


def test_a_probe_sees_parallel_calls_and_thinking_that_leaks() -> None:
    assert probe(Server(two_calls()), "d", 0).parallel
    one = two_calls().model_copy(
        update={"tool_calls": two_calls().tool_calls[:1], "text": "<think>Hm.</think>"}
    )
    profile = probe(Server(one), "d", 0)
    assert not profile.parallel and profile.leaks


def test_a_profile_is_kept_and_a_spoilt_one_is_asked_for_again(tmp_path: Path) -> None:
    server = Server(two_calls())

    def ask() -> Profile:
        return probe(server, "d", 0)

    first = remembered(tmp_path / "profiles", "d", ask)
    asked = len(server.asked)
    assert remembered(tmp_path / "profiles", "d", ask) == first and len(server.asked) == asked
    next((tmp_path / "profiles").iterdir()).write_text("{half")
    remembered(tmp_path / "profiles", "d", ask)
    assert len(server.asked) == 2 * asked
    remembered(tmp_path / "profiles", "another", ask)
    assert len(server.asked) == 3 * asked


# --- the roster against a server


def roster(url: str, folder: Path, **spec: Any) -> Roster:
    config = ModelsConfig(
        runtimes={"here": RuntimeSpec.model_validate({"provider": "vllm", "url": url, **spec})}
    )
    return Roster(config, "local", {}, folder)


def test_a_server_is_probed_once_and_anew_when_it_serves_something_else(tmp_path: Path) -> None:
    with ChatServer([], []) as server:
        server.context_length = 32_768
        models = roster(server.url, tmp_path)
        engine = models.engine("driver")
        assert engine.profile is not None and engine.profile.tools == "native" and engine.profile.parallel
        assert engine.context_length == 32_768 and engine.max_tokens == 8192
        probed = server.probes
        assert models.engine("driver") is engine
        assert roster(server.url, tmp_path).engine("driver").profile == engine.profile
        assert server.probes == probed > 0, "also another process knows the profile"
        server.context_length = 16_384
        anew = models.engine("driver")
        assert server.probes == 2 * probed
        assert anew.context_length == 16_384 and anew.max_tokens == 4096, "a reply takes a quarter at most"


def test_the_protocol_can_be_set(tmp_path: Path) -> None:
    with ChatServer([], [Reply(text=XML.replace(PROBE, "read_file"))]) as server:
        engine = roster(server.url, tmp_path, tools="xml", context_length=1000).engine("driver")
        assert isinstance(engine.model, XmlTools) and engine.profile is None and server.probes == 0
        assert engine.context_length == 1000 and engine.max_tokens == 250
        engine.model.reply([Message(role="user", text="Go.")], [READ])
        assert "tools" not in server.requests[0]
        assert "## read_file" in server.requests[0]["messages"][0]["content"]


def test_a_server_that_is_away_or_empty_is_unavailable(tmp_path: Path, closed_port: int) -> None:
    with pytest.raises(ModelUnavailable, match="does not list its models"):
        roster(f"http://127.0.0.1:{closed_port}/v1", tmp_path).engine("driver")


# --- calls as XML

READ = ToolSchema(
    name="read_file",
    description="Reads a file.",
    parameters={
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "The path."},
            "start_line": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["path"],
    },
)


def test_a_conversation_as_text_alternates_and_describes_the_tools() -> None:
    a, b = call("read_file", path="a.txt"), call("read_file", path="b.txt", start_line=3)
    messages = [
        Message(role="system", text="You are an engineer."),
        Message(role="user", text="Do it."),
        Message(role="assistant", text="I look.", tool_calls=(a, b)),
        Message(role="tool", text="one", tool_call_id=a.id),
        Message(role="tool", text="two", tool_call_id=b.id),
        Message(role="user", text="Go on."),
    ]
    text = as_text(messages, [READ])
    assert [each.role for each in text] == ["system", "user", "assistant", "user"]
    assert "- path (string, required): The path." in text[0].text
    assert "- start_line (integer, optional)" in text[0].text
    assert text[3].text.count("<tool_result") == 2 and text[3].text.endswith("Go on.")


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "a < b && c > d",
        "two\nlines\n",
        "</content> inside",
        "</tool_call>",
        "<b>x</b>",
        "  indented",
        "",
    ],
)
def test_what_a_call_is_spelled_as_is_what_rescue_reads(value: str) -> None:
    schema = ToolSchema(
        name="write_file",
        description="",
        parameters={
            "type": "object",
            "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
            "required": ["path", "content"],
        },
    )
    made = call("write_file", path="a.txt", content=value)
    spelled = as_text([Message(role="assistant", text="", tool_calls=(made,))], [])[0].text
    found = rescue(Reply(text=spelled), [schema], frozenset({"write_file"}), 0)
    assert [json.loads(each.arguments) for each in found.calls] == [{"path": "a.txt", "content": value}]
