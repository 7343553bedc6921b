"""The conversation within its context, what ends it, and which model goes on with it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runners.contract.budget import Budget, Spent
from runners.contract.events import (
    Condensed,
    ModelReplied,
    ModelSwitched,
    PromptSent,
    RunnerEvent,
    ToolCalled,
    VerdictReached,
)
from runners.loop.agent import CHECK, Agent, Ended
from runners.loop.conversation import Room, condensed, conversation_from_log, estimate, unanswered
from runners.loop.escalation import level_of, too_many_reds
from runners.models.chat import ContextTooLong, Message, Reply, TokenUsage, ToolSchema
from runners.models.roster import Engine
from runners.models.runtimes import Prices
from runners.models.vllm import VllmModel
from runners.models.xml import XmlTools
from runners.sandbox.bubblewrap import Sandbox
from runners.tools.base import ToolContext, ToolResult
from runners.verify.verdict import Problem, Verdict
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.tool_context import caller, tree_git

HEAD = [Message(role="system", text="You are an engineer."), Message(role="user", text="Do it.")]


def turns(count: int, size: int) -> list[Message]:
    """`count` turns of one call each, with results of `size` characters."""
    out = list(HEAD)
    for at in range(count):
        made = call("read_file", path=f"file{at}.txt")
        out.append(Message(role="assistant", text=f"Turn {at}.", tool_calls=(made,)))
        out.append(Message(role="tool", text=f"{at} " + "x" * size, tool_call_id=made.id))
    return out


# --- condensing


def test_old_results_lose_all_but_their_beginning() -> None:
    messages = turns(20, 5000)
    short = condensed(messages, "results", 12)
    assert short[:2] == HEAD and short[-12:] == messages[-12:]
    assert [each.role for each in short] == [each.role for each in messages]
    assert all(len(each.text) < 500 for each in short[2:-12])
    assert "was dropped to save room" in short[3].text
    assert estimate(short) < estimate(messages) / 2
    assert condensed(short, "results", 12) == short, "what is short is left as it is"


def test_old_turns_give_way_to_a_list_of_their_calls() -> None:
    messages = turns(20, 5000)
    short = condensed(messages, "digest", 8)
    assert short[:2] == HEAD and short[-8:] == messages[-8:] and len(short) == 11
    assert "- read_file(path='file0.txt'): 0 xxx" in short[2].text
    assert not unanswered(short)


@pytest.mark.parametrize("kept", range(12))
@pytest.mark.parametrize("step", ["results", "digest"])
def test_no_result_is_ever_without_its_call(step: Any, kept: int) -> None:
    both = call("read_file", path="a"), call("read_file", path="b")
    messages = [
        *turns(3, 900),
        Message(role="assistant", text="", tool_calls=both),
        *(Message(role="tool", text="y" * 900, tool_call_id=each.id) for each in both),
        Message(role="user", text="Go on."),
        Message(role="assistant", text="Well."),
    ]
    known: set[str] = set()
    for message in condensed(messages, step, kept):
        known |= {each.id for each in message.tool_calls}
        assert message.role != "tool" or message.tool_call_id in known


def test_room_is_what_the_server_counted_and_an_estimate_of_the_rest() -> None:
    tool = ToolSchema(name="t", description="d" * 320, parameters={})
    room = Room(10_000, 1000, [tool])
    messages = turns(1, 3200)
    assert 1000 < room.tokens(messages) < 1400
    room.measured(messages, TokenUsage(prompt_tokens=5000))
    assert room.tokens(messages) == 5000 and room.step(messages) is None
    longer = [*messages, Message(role="user", text="z" * 12_000)]
    assert room.step(longer) == "results"
    assert Room(0, 1000, [tool]).step(longer) is None, "nothing is known, so the server will say"


# --- the loop

Run = Callable[..., Ended]


@pytest.fixture
def events() -> list[RunnerEvent]:
    return []


@pytest.fixture
def run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, events: list[RunnerEvent]) -> Run:
    (tmp_path / "big.txt").write_text("x" * 79 + "\n" + ("y" * 79 + "\n") * 200)

    def run(
        script: Sequence[Turn] | Callable[[dict[str, Any]], Reply],
        context_length: int = 0,
        most_characters: int = 0,
        xml: bool = False,
        checklist: Callable[[], str] | None = None,
        budget: Budget | None = None,
        prices: Prices | None = None,
        summaries: Sequence[Turn] = (),
    ) -> Ended:
        tools = ToolContext(
            root=tmp_path,
            sandbox=Sandbox(tmp_path),
            git=tree_git(tmp_path, tmp_path_factory.mktemp("git") / "repo.git"),
            run_tests=lambda path: ToolResult(ok=True, text="1 passed"),
        )
        with ChatServer(summaries, script) as server:
            server.most_characters = most_characters
            model = VllmModel(server.url, "scripted", idle_s=20)
            engine = Engine(
                "local", XmlTools(model) if xml else model, prices or Prices(), context_length, 500
            )
            return Agent(engine, caller(tools), events.extend, budget or Budget(), checklist=checklist).run(
                HEAD, Spent()
            )

    return run


def reading(last: int) -> tuple[list[int], Callable[[dict[str, Any]], Reply]]:
    """A model that reads the file `last` times and finishes, and the characters of each of its prompts."""
    sizes: list[int] = []

    def turn(request: dict[str, Any]) -> Reply:
        sizes.append(sum(len(each["content"]) for each in request["messages"]))
        if len(sizes) > last:
            return Reply(tool_calls=(call("finish", summary="Done."),))
        return Reply(tool_calls=(call("read_file", path="big.txt", start_line=len(sizes)),))

    return sizes, turn


def test_a_long_conversation_is_condensed_and_goes_on(run: Run, events: list[RunnerEvent]) -> None:
    sizes, model = reading(14)
    assert run(model, context_length=34_000).reason == "finish"
    steps = [event for event in events if isinstance(event, Condensed)]
    assert 1 <= len(steps) <= 4, "rarely, and in large steps"
    assert max(sizes) / 3.2 < 32_000 and len(sizes) == 15
    again = conversation_from_log(HEAD, events)
    assert estimate(again) < 32_000, "a resumed run has the same conversation"


def test_a_server_that_finds_it_too_long_is_asked_again_with_less(
    run: Run, events: list[RunnerEvent]
) -> None:
    sizes, model = reading(12)
    assert run(model, most_characters=90_000).reason == "finish"
    steps = [event for event in events if isinstance(event, Condensed)]
    assert steps and max(sizes) <= 90_000
    assert estimate(conversation_from_log(HEAD, events)) * 3.2 < 95_000


def test_old_turns_give_way_to_the_models_own_summary(run: Run, events: list[RunnerEvent]) -> None:
    asked: list[str] = []

    def summary(request: dict[str, Any]) -> Reply:
        asked.append(request["messages"][-1]["content"])
        parts = {"done": "Read big.txt.", "found": "It is all y.", "tried": "", "next": "Finish."}
        return Reply(text=json.dumps(parts), usage=TokenUsage(prompt_tokens=700, completion_tokens=30))

    _, model = reading(10)
    budget = Budget(turns=30)
    assert run(model, context_length=20_000, summaries=[summary], budget=budget).reason == "finish"
    digests = [event for event in events if isinstance(event, Condensed) and event.step == "digest"]
    assert digests and len(asked) == len(digests)
    assert all(not each.problem for each in digests)
    assert "Done: Read big.txt.\nFound out: It is all y.\nLeft to do: Finish." in digests[0].summary
    assert "read_file" in asked[0] and "You are an engineer" not in asked[0], "only what gives way"
    again = conversation_from_log(HEAD, events)
    assert "Done: Read big.txt." in again[len(HEAD)].text
    paid = [event for event in events if isinstance(event, ModelReplied) and event.phase == "condense"]
    assert len(paid) == len(digests) and paid[0].reply.usage.prompt_tokens == 700


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Reply(text="Well, I"), "could not be read"),
        (Reply(text='{"done": "", "found": "", "tried": "", "next": " "}'), "is empty"),
        (lambda request: "no schemas here", "refused the request"),
    ],
)
def test_without_a_summary_a_list_of_the_calls_stands_in(
    run: Run, events: list[RunnerEvent], answer: Turn, problem: str
) -> None:
    _, model = reading(10)
    assert run(model, context_length=20_000, summaries=[answer]).reason == "finish"
    digest = next(event for event in events if isinstance(event, Condensed) and event.step == "digest")
    assert not digest.summary and problem in digest.problem
    assert "- read_file(path='big.txt'" in conversation_from_log(HEAD, events)[len(HEAD)].text


def test_the_last_turn_is_kept_for_the_work(run: Run, events: list[RunnerEvent]) -> None:
    _, model = reading(40)
    run(model, context_length=20_000, budget=Budget(turns=8))
    digests = [event for event in events if isinstance(event, Condensed) and event.step == "digest"]
    assert all(not event.summary for event in digests)
    assert sum(isinstance(event, ModelReplied) for event in events) == 8


def test_what_a_model_was_told_outlives_its_summary() -> None:
    messages = [*turns(3, 900), Message(role="user", text="Also for fractions."), *turns(3, 900)[2:]]
    short = condensed(messages, "digest", 2, "Done: all.")
    assert "Done: all." in short[2].text and "you were told: Also for fractions." in short[2].text
    assert "read_file" not in short[2].text


def test_what_does_not_fit_however_short_ends_with_its_reason(run: Run, events: list[RunnerEvent]) -> None:
    with pytest.raises(ContextTooLong, match="maximum context length"):
        run(reading(1)[1], most_characters=10)
    assert len([event for event in events if isinstance(event, Condensed)]) == 3


def test_a_model_that_is_spelled_its_tools_works_as_others_do(
    run: Run, events: list[RunnerEvent], tmp_path: Path
) -> None:
    def turn(request: dict[str, Any]) -> Reply:
        assert "tools" not in request and {each["role"] for each in request["messages"]} <= {
            "system",
            "user",
            "assistant",
        }
        roles = [each["role"] for each in request["messages"]]
        assert roles[1:] == ["user", "assistant"] * (len(roles) // 2 - 1) + ["user"]
        if len(roles) == 2:
            assert "## write_file" in request["messages"][0]["content"]
            return Reply(
                text="I write it.\n<tool_call><name>write_file</name><arguments><path>a.py</path><content>\n"
                "if 1 < 2:\n    print('<b>')\n</content></arguments></tool_call>"
            )
        assert '<tool_result name="write_file">' in request["messages"][-1]["content"]
        return Reply(
            text="<tool_call><name>finish</name><arguments><summary>Done.</summary></arguments></tool_call>"
        )

    assert run(turn, xml=True).reason == "finish"
    assert (tmp_path / "a.py").read_text() == "if 1 < 2:\n    print('<b>')"
    assert [event.rescued for event in events if isinstance(event, ModelReplied)] == ["xml", "xml"]


def test_the_first_finish_is_answered_with_a_checklist(run: Run, events: list[RunnerEvent]) -> None:
    asked: list[str] = []

    def checklist() -> str:
        asked.append("x")
        return "- Scratch files gone?"

    ended = run([Reply(tool_calls=(call("finish", summary="Done."),))], checklist=checklist)
    assert ended.reason == "finish" and asked == ["x"]
    results = [event.text for event in events if isinstance(event, ToolCalled)]
    assert results == [CHECK + "- Scratch files gone?", "Passed on to the verifier."]


def test_a_question_is_an_end_of_its_own(run: Run) -> None:
    ended = run([Reply(tool_calls=(call("ask", question="Euros or dollars?"),))], checklist=lambda: "")
    assert ended == Ended(reason="ask", text="Euros or dollars?")


def test_the_last_turn_is_kept_for_what_is_missing(run: Run, events: list[RunnerEvent]) -> None:
    look = [Reply(tool_calls=(call("read_file", path="big.txt", start_line=at),)) for at in range(1, 9)]
    said = Reply(tool_calls=(call("give_up", reason="The parser is done, its tests are missing."),))
    ended = run([*look[:3], said], budget=Budget(turns=4))
    assert ended == Ended(reason="give_up", text="The parser is done, its tests are missing.")
    nudges = [event.text for event in events if isinstance(event, PromptSent)]
    assert len(nudges) == 1 and "one more reply" in nudges[0]


def test_what_a_run_may_cost_bounds_it(run: Run, events: list[RunnerEvent]) -> None:
    look = [
        Reply(
            tool_calls=(call("read_file", path="big.txt", start_line=at),),
            usage=TokenUsage(prompt_tokens=100_000),
        )
        for at in range(1, 9)
    ]
    ended = run(look, budget=Budget(cost=0.5), prices=Prices(input=2))
    assert ended.reason == "budget" and "0.50 US dollars" in ended.text
    costs = [event.cost for event in events if isinstance(event, ModelReplied)]
    assert costs == [pytest.approx(0.2)] * 3


# --- who goes on


def test_red_verdicts_are_counted_from_the_last_switch() -> None:
    switched = ModelSwitched(role="driver", to="claude", reason="2 red verdicts")
    problem = Problem(code="scenario-not-green", message="It fails.")
    reds = [
        VerdictReached.model_construct(verdict=Verdict(base_sha="a", head_sha="b", problems=(problem,)))
    ] * 3
    assert too_many_reds(reds[:1], 2) == ""
    assert too_many_reds(reds[:2], 2) == "2 red verdicts"
    assert too_many_reds([*reds[:2], switched], 2) == ""
    assert too_many_reds([*reds[:2], switched, *reds[:2]], 2) == "2 red verdicts"
    assert level_of([*reds, switched, switched]) == 2
