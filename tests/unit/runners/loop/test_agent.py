"""The loop, with the real openai client against the stand-in model server, real tools and a real sandbox."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runners.contract.budget import Budget, Spent
from runners.contract.events import ModelReplied, PromptSent, RunnerEvent, ToolCalled
from runners.loop.agent import Agent, Ended
from runners.loop.conversation import conversation_from_log
from runners.models.chat import Message, ModelRefusedRequest, ModelUnavailable, Reply, TokenUsage, ToolCall
from runners.models.roster import Engine
from runners.models.vllm import VllmModel
from runners.sandbox.bubblewrap import Sandbox
from runners.tools.base import ToolContext, ToolResult
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.tool_context import caller, tree_git

HEAD = [Message(role="system", text="You are an engineer."), Message(role="user", text="Do it.")]


def says(*calls: ToolCall, text: str = "", tokens: int = 10) -> Reply:
    return Reply(text=text, tool_calls=calls, usage=TokenUsage(prompt_tokens=tokens, completion_tokens=1))


Run = Callable[..., Ended]


@pytest.fixture
def events() -> list[RunnerEvent]:
    return []


@pytest.fixture
def run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, events: list[RunnerEvent]) -> Run:
    (tmp_path / "a.txt").write_text("one\n")

    def run(
        turns: Sequence[Turn],
        conversation: Sequence[Message] = HEAD,
        budget: Budget | None = None,
        spent: Spent | None = None,
    ) -> Ended:
        tools = ToolContext(
            root=tmp_path,
            sandbox=Sandbox(tmp_path),
            git=tree_git(tmp_path, tmp_path_factory.mktemp("git") / "repo.git"),
            run_tests=lambda path: ToolResult(ok=True, text="1 passed"),
        )
        with ChatServer([], turns) as server:
            model = VllmModel(server.url, "scripted", idle_s=20)
            agent = Agent(Engine("local", model), caller(tools), events.extend, budget or Budget())
            return agent.run(conversation, spent or Spent())

    return run


def test_calls_are_run_and_answered_until_finish(run: Run, events: list[RunnerEvent], tmp_path: Path) -> None:
    ended = run(
        [
            says(
                call("read_file", path="a.txt"), call("write_file", path="b.txt", content="two\n"), text="Hm."
            ),
            says(call("shell", command="cat b.txt")),
            says(call("finish", summary="Done.", answers=[{"thread": 4, "answer": "Yes."}])),
        ]
    )
    assert ended == Ended(reason="finish", text="Done.", answers={4: "Yes."})
    assert (tmp_path / "b.txt").read_text() == "two\n"
    results = [event for event in events if isinstance(event, ToolCalled)]
    assert [event.ok for event in results] == [True] * 4
    assert "one" in results[0].text and "two" in results[2].text
    assert results[1].files_changed == ("b.txt",)
    assert [type(event).__name__ for event in events] == [
        "ModelReplied",
        "ToolCalled",
        "ToolCalled",
        "ModelReplied",
        "ToolCalled",
        "ModelReplied",
        "ToolCalled",
    ]


def test_nonsense_calls_are_answered_and_the_loop_goes_on(run: Run, events: list[RunnerEvent]) -> None:
    ended = run(
        [
            says(ToolCall(id="1", name="read_file", arguments="{not json")),
            says(ToolCall(id="2", name="launch_missiles", arguments="{}")),
            says(ToolCall(id="3", name="read_file", arguments='{"wrong": 1}')),
            says(ToolCall(id="4", name="finish", arguments="{}")),
            says(call("finish", summary="Done.")),
        ]
    )
    assert ended.reason == "finish"
    results = [event for event in events if isinstance(event, ToolCalled)]
    assert [event.ok for event in results] == [False, False, False, False, True]
    assert "read_file" in results[1].text, "it says which tools there are"
    assert "summary" in results[3].text


def test_calls_after_finish_are_not_run(run: Run, tmp_path: Path) -> None:
    ended = run([says(call("finish", summary="Done."), call("write_file", path="late.txt", content="x"))])
    assert ended.reason == "finish"
    assert not (tmp_path / "late.txt").exists()


def test_giving_up_is_an_honest_end(run: Run) -> None:
    assert run([says(call("give_up", reason="No key."))]) == Ended(reason="give_up", text="No key.")


def test_a_model_that_only_talks_is_stopped(run: Run, events: list[RunnerEvent]) -> None:
    ended = run([says(text="Let me think."), says(text="Still."), says(text="And so on.")])
    assert ended.reason == "stuck"
    assert [event.reason for event in events if isinstance(event, PromptSent)] == ["nudge", "nudge"]


def test_a_model_that_only_talks_is_made_to_call(run: Run, events: list[RunnerEvent]) -> None:
    choices: list[object] = []

    def heard(reply: Reply) -> Turn:
        def turn(request: dict[str, object]) -> Reply:
            choices.append(request.get("tool_choice"))
            return reply

        return turn

    done = says(call("finish", summary="Done."))
    ended = run([heard(says(text="Let me think.")), heard(says(text="Still.")), heard(done)])
    assert ended.reason == "finish" and choices == [None, None, "required"]

    def refuses(request: dict[str, object]) -> Reply | str:
        return "tool_choice is not supported" if "tool_choice" in request else done

    ended = run([says(text="Let me think."), says(text="Still."), refuses])
    assert ended.reason == "finish", "a server that cannot do so is asked without it"


def test_a_reply_that_was_cut_off_is_told_so(run: Run, events: list[RunnerEvent]) -> None:
    run([Reply(text="Lon", stop="length"), says(call("finish", summary="Done."))])
    assert any(isinstance(event, PromptSent) and "cut off" in event.text for event in events)


@pytest.mark.parametrize(
    ("budget", "spent", "words"),
    [
        (Budget(turns=3), Spent(), "3 turns"),
        (Budget(turns=3), Spent(turns=2), "3 turns"),
        (Budget(tokens=1000), Spent(prompt_tokens=980), "1,000 tokens"),
        (Budget(seconds=5), Spent(seconds=6), "5 seconds"),
    ],
)
def test_a_budget_ends_the_loop_with_a_result(
    run: Run, events: list[RunnerEvent], budget: Budget, spent: Spent, words: str
) -> None:
    endless = [says(call("read_file", path="a.txt", start_line=line)) for line in range(1, 11)]
    ended = run(endless, budget=budget, spent=spent)
    assert ended.reason == "budget" and words in ended.text
    asked = sum(isinstance(event, ModelReplied) for event in events)
    assert spent.turns + asked <= budget.turns


def test_a_run_goes_on_from_its_log_and_pays_for_no_turn_twice(
    run: Run, events: list[RunnerEvent], tmp_path: Path
) -> None:
    """The worker died after the second reply was stored and before its call was run."""
    first = says(call("read_file", path="a.txt"))
    second = says(call("write_file", path="b.txt", content="two\n"))
    logged: list[RunnerEvent] = [
        ModelReplied(phase="implement", reply=first, seconds=0),
        ToolCalled(call=first.tool_calls[0], ok=True, text="one", seconds=0),
        ModelReplied(phase="implement", reply=second, seconds=0),
    ]
    never = Reply(text="this turn was paid for already")
    ended = run([never, never, says(call("finish", summary="Done."))], conversation_from_log(HEAD, logged))
    assert ended.reason == "finish"
    assert (tmp_path / "b.txt").exists()
    assert sum(isinstance(event, ModelReplied) for event in events) == 1


def test_a_server_that_refuses_or_is_away_is_told_apart(run: Run, closed_port: int) -> None:
    with pytest.raises(ModelRefusedRequest, match="script has 0 turns"):
        run([])
    model = VllmModel(f"http://127.0.0.1:{closed_port}/v1", "x", idle_s=2)
    model._client = model._client.with_options(max_retries=0)
    with pytest.raises(ModelUnavailable):
        model.reply(HEAD)


def test_a_model_that_circles_gets_one_hint_and_then_an_end(run: Run, events: list[RunnerEvent]) -> None:
    ended = run([says(call("read_file", path="a.txt"))] * 20)
    assert ended.reason == "stuck" and "repeated itself" in ended.text
    assert [event.reason for event in events if isinstance(event, PromptSent)] == ["nudge"]
    assert sum(isinstance(event, ModelReplied) for event in events) == 8


def test_a_model_that_heeds_the_hint_goes_on(run: Run) -> None:
    looks = [says(call("read_file", path="a.txt"))] * 4
    assert run([*looks, says(call("finish", summary="Done."))]).reason == "finish"


def test_calls_written_as_text_are_run(run: Run, events: list[RunnerEvent], tmp_path: Path) -> None:
    text = 'I look.\n<tool_call>\n{"name": "read_file", "arguments": {"path": "a.txt"}}\n</tool_call>'
    write = (
        "<function=write_file><parameter=path>b.txt</parameter><parameter=content>two</parameter></function>"
    )
    ended = run([says(text=text), says(text=write), says(call("finish", summary="Done."))])
    assert ended.reason == "finish"
    assert (tmp_path / "b.txt").read_text() == "two"
    replies = [event for event in events if isinstance(event, ModelReplied)]
    assert [event.rescued for event in replies] == ["hermes", "qwen3-coder", ""]
    assert replies[0].said == text and replies[0].reply.text == "I look."
    ids = [each.id for event in replies for each in event.reply.tool_calls]
    assert len(set(ids)) == len(ids)
    messages = conversation_from_log(HEAD, events)
    assert [message.role for message in messages[2:]] == ["assistant", "tool"] * 3


def test_a_write_that_had_to_be_guessed_is_asked_for_again(
    run: Run, events: list[RunnerEvent], tmp_path: Path
) -> None:
    cut = '<tool_call>\n{"name": "write_file", "arguments": {"path": "b.txt", "content": "half of i'
    whole = (
        '<tool_call>\n{"name": "write_file", "arguments": {"path": "b.txt", "content": "all"}}\n</tool_call>'
    )
    ended = run([says(text=cut), says(text=whole), says(call("finish", summary="Done."))])
    assert ended.reason == "finish"
    nudges = [event.text for event in events if isinstance(event, PromptSent)]
    assert len(nudges) == 1 and "`write_file` was not run: it was cut off" in nudges[0]
    assert [event.call.name for event in events if isinstance(event, ToolCalled)] == ["write_file", "finish"]
    assert (tmp_path / "b.txt").read_text() == "all"
