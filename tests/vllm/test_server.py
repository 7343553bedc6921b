"""The bot's model client and its loop against a real vLLM server with random weights: `make test-vllm`."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from gherkin.errors import Cancelled
from gherkin.feature.draft import FEATURE_SCHEMA, from_draft
from gherkin.feature.model import FeatureInvalid, parse, render
from runners.contract.budget import Budget, Spent
from runners.contract.events import Condensed, ModelReplied, RunnerEvent, ToolCalled
from runners.loop.agent import ENDINGS, Agent, Ended
from runners.models.anthropic import AnthropicModel
from runners.models.chat import ContextTooLong, Message, ModelUnavailable, Reply
from runners.models.rescue import rescue
from runners.models.roster import Engine, Roster
from runners.models.runtimes import ModelsConfig, RuntimeSpec
from runners.models.vllm import VllmModel
from runners.models.vllm_families import BY_NAME, BY_TEMPLATE
from runners.sandbox.bubblewrap import Sandbox
from runners.tools.base import ToolContext, ToolResult
from tests.support.tool_context import caller, tree_git
from tests.support.vllm_server import CONTEXT, PYTHON, Vllm
from tests.support.waiting import HANG_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

START = [Message(role="system", text="You are an engineer."), Message(role="user", text="Do it.")]
FINISH = [each for each in ENDINGS if each.name == "give_up"]


@pytest.fixture
def model(vllm: Vllm) -> VllmModel:
    return VllmModel(vllm.url, "tiny", idle_s=60, temperature=1.0)


Loop = Callable[..., Ended]


@pytest.fixture
def events() -> list[RunnerEvent]:
    return []


@pytest.fixture
def loop(
    vllm: Vllm,
    model: VllmModel,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    events: list[RunnerEvent],
) -> Loop:
    def run(conversation: Sequence[Message], budget: Budget, max_tokens: int, context: int = 0) -> Ended:
        tools = ToolContext(
            root=tmp_path,
            sandbox=Sandbox(tmp_path),
            git=tree_git(tmp_path, tmp_path_factory.mktemp("git") / "repo.git"),
            run_tests=lambda path: ToolResult(ok=True, text="1 passed"),
        )
        engine = Engine("local", model, context_length=context, max_tokens=max_tokens)
        return Agent(engine, caller(tools), events.extend, budget).run(conversation, Spent())

    return run


def test_serving_names_parsers_that_this_vllm_has_and_says_how_fast_it_is(vllm: Vllm) -> None:
    import subprocess

    code = (
        "from vllm.tool_parsers import ToolParserManager as t; from vllm.reasoning import "
        "ReasoningParserManager as r; "
        "print(sorted({*t.lazy_parsers, *t.tool_parsers})); print(sorted({*r.lazy_parsers, "
        "*r.reasoning_parsers}))"
    )
    out = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout
    tools, reasoning = out.strip().splitlines()[-2:]
    for _, family in BY_NAME:
        assert f"'{family.tools}'" in tools, family
        assert not family.reasoning or f"'{family.reasoning}'" in reasoning, family
    for mark in BY_TEMPLATE:
        assert all(f"'{each}'" in tools for each in mark.tools), mark
        assert all(f"'{each}'" in reasoning for each in (mark.thinking, mark.else_by) if each), mark
    assert "its chat template holds <tool_call>" in vllm.log() and "tokens/s for 8 at once" in vllm.log()


def test_a_required_call_comes_with_arguments_by_its_schema(model: VllmModel) -> None:
    made = 0
    for _ in range(5):
        reply = model.reply(START, FINISH, choice="required", max_tokens=1500)
        assert reply.stop in ("tools", "length")
        if reply.stop == "tools":
            calls = rescue(reply, FINISH, frozenset(), 0).calls or reply.tool_calls
            assert all(
                each.name == "give_up" and set(json.loads(each.arguments)) == {"reason"} for each in calls
            )
            made += len(calls)
    assert made, "random weights never came to an end"


def test_an_answer_by_the_features_schema_parses_as_a_feature(model: VllmModel) -> None:
    said = []
    for _ in range(16):
        reply = model.reply(START, schema=FEATURE_SCHEMA, max_tokens=6000)
        if reply.stop == "length":
            said.append("cut off")
            continue
        try:
            feature = from_draft(json.loads(reply.text, strict=False), issue=1)
        except FeatureInvalid as error:  # it keeps to the schema and has no Then, say
            said.append(error.message[-40:])
            continue
        assert parse(render(feature), "draft.feature") == feature
        print(f"a feature with {len(feature.scenarios)} scenarios after {len(said)} unusable ones: {said}")
        return
    assert not any("Input should be" in each for each in said)
    pytest.fail(f"random weights never came to a feature: {said}")


def test_garbage_never_crashes_and_never_exceeds_the_budget(loop: Loop, events: list[RunnerEvent]) -> None:
    ended = loop(START, Budget(turns=8, tokens=40_000), 200)
    # Made to call after two replies of nothing, random weights may hit on one of the ends: its schema lets
    # nothing else through.
    assert ended.reason in ("budget", "stuck", "finish", "give_up", "ask")
    replies = [event for event in events if isinstance(event, ModelReplied)]
    assert 0 < len(replies) <= 8
    assert (
        sum(event.reply.usage.prompt_tokens + event.reply.usage.completion_tokens for event in replies)
        < 60_000
    )
    assert all(
        not event.ok for event in events if isinstance(event, ToolCalled) and event.call.name == "shell"
    )


def test_an_overflow_is_told_apart_and_survived(
    model: VllmModel, loop: Loop, events: list[RunnerEvent]
) -> None:
    long = [*START]
    for at in range(30):
        long.append(Message(role="assistant", text=f"I have read part {at}."))
        long.append(Message(role="user", text=f"part {at}: " + "the quick brown fox " * 60))
    with pytest.raises(ContextTooLong):
        model.reply(long, max_tokens=100)
    loop(long, Budget(turns=1), 200)
    assert any(isinstance(event, Condensed) for event in events)
    assert any(isinstance(event, ModelReplied) for event in events)


def test_a_cancelled_reply_ends_in_the_server(vllm: Vllm, model: VllmModel) -> None:
    cancel = threading.Event()
    ended: list[BaseException | Reply] = []

    def ask() -> None:
        try:
            ended.append(model.reply(START, max_tokens=7500, cancel=cancel))
        except Cancelled as error:
            ended.append(error)

    for _ in range(12):  # a reply of random weights can be over at once
        ended.clear()
        cancel.clear()
        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: vllm.metric("vllm:num_requests_running") >= 1 or ended, "the request")
        cancel.set()
        thread.join()
        if ended and isinstance(ended[0], Cancelled):
            break
    assert isinstance(ended[0], Cancelled)
    # This vLLM counts no abort when a client goes; that nothing runs any more is what can be seen.
    wait_until(lambda: vllm.metric("vllm:num_requests_running") == 0, "the end of generating")


def test_a_prefix_cache_serves_a_long_run(vllm: Vllm, model: VllmModel) -> None:
    text = " ".join(f"word{at}" for at in range(400))
    messages = [Message(role="system", text=text), Message(role="user", text="Go.")]
    model.reply(messages, max_tokens=8)
    asked, hit = vllm.metric("vllm:prefix_cache_queries_total"), vllm.metric("vllm:prefix_cache_hits_total")
    told = []
    for at in range(29):
        reply = model.reply(messages, max_tokens=8)
        told.append(reply.usage.cached_tokens / reply.usage.prompt_tokens)
        messages += [
            Message(role="assistant", text=f"I look at file {at}."),
            Message(role="user", text=f"It is {at}."),
        ]
    asked, hit = (
        vllm.metric("vllm:prefix_cache_queries_total") - asked,
        vllm.metric("vllm:prefix_cache_hits_total") - hit,
    )
    print(f"prefix cache: {hit / asked:.1%} of {asked:.0f} prompt tokens in 29 turns; least {min(told):.1%}")
    assert hit / asked >= 0.9


def test_anthropics_sdk_against_the_same_server(vllm: Vllm) -> None:
    claude = AnthropicModel("tiny", api_key="none", url=vllm.root, idle_s=60)
    reply = claude.reply(START, FINISH, max_tokens=50)
    assert reply.usage.prompt_tokens > 10 and reply.usage.completion_tokens > 0
    with pytest.raises(ContextTooLong):
        claude.reply([Message(role="user", text="the quick brown fox " * 6000)], max_tokens=50)


def test_the_probe_and_the_check_command(vllm: Vllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModelsConfig(runtimes={"tiny": RuntimeSpec(provider="vllm", url=vllm.url)})
    engine = Roster(config, "local", {}, tmp_path).engine("driver")
    assert engine.context_length == CONTEXT and engine.max_tokens == CONTEXT // 4
    assert engine.profile is not None and not engine.profile.called, "random weights call nothing"
    (tmp_path / "models.yml").write_text(f"runtimes:\n  tiny: {{provider: vllm, url: '{vllm.url}'}}\n")
    monkeypatch.setenv("SCENARIST_MODELS_FILE", str(tmp_path / "models.yml"))
    monkeypatch.setenv("SCENARIST_STATE_DIR", str(tmp_path))
    done = CliRunner().invoke(app, ["models", "check"])
    print(done.output)
    assert done.exit_code == 1 and "no call of `look_up` came" in done.output and "8,192" in done.output


def test_a_killed_server_is_noticed_and_its_return_too(vllm: Vllm, model: VllmModel) -> None:
    """The last one: the server is another one afterwards."""
    failed: list[ModelUnavailable] = []

    def ask() -> None:
        while not failed:
            try:
                model.reply(START, schema=FEATURE_SCHEMA, max_tokens=7500)
            except ModelUnavailable as error:
                failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: vllm.metric("vllm:num_requests_running") >= 1, "the request")
    vllm.kill()
    thread.join(HANG_S)
    assert failed, "the client never noticed"
    vllm.start()
    assert httpx.get(f"{vllm.root}/health", timeout=60).is_success
    assert model.reply(START, max_tokens=20).usage.completion_tokens > 0
