"""Replaying a run's log."""

import json
from pathlib import Path

import pytest

import bot.demo
from runners.contract.events import ModelReplied, ToolCalled
from runners.loop.conversation import as_message
from runners.models.chat import Message, Reply, ToolCall, ToolSchema
from runners.models.replay import RecordingInvalid, ReplayDiverged, ReplayModel

RECORDING = Path(bot.demo.__file__).parent / "recording.jsonl"
CALL = ToolCall(id="1", name="look", arguments="{}")
LOOK = ToolSchema(name="look", description="", parameters={})
START = [Message(role="user", text="Go.")]


def model() -> ReplayModel:
    replies = [Reply(tool_calls=(CALL,)), Reply(text="end")]
    return ReplayModel([ModelReplied(phase="implement", reply=reply, seconds=0) for reply in replies])


def test_the_reply_that_is_due_follows_from_the_conversation() -> None:
    first = model().reply(START, [LOOK])
    assert first.tool_calls == (CALL,)
    conversation = [*START, as_message(first), Message(role="tool", tool_call_id="1", text="seen")]
    assert model().reply(conversation, [LOOK]).text == "end"


def test_a_divergence_is_said() -> None:
    other = Message(role="assistant", tool_calls=(CALL.model_copy(update={"arguments": "[]"}),))
    with pytest.raises(ReplayDiverged, match="Reply 1"):
        model().reply([*START, other], [LOOK])
    with pytest.raises(ReplayDiverged, match="look"):
        model().reply(START, [])
    ended = [*START, Message(role="assistant", tool_calls=(CALL,)), Message(role="assistant", text="end")]
    with pytest.raises(ReplayDiverged, match="ends after 2"):
        model().reply(ended, [LOOK])


@pytest.mark.parametrize("text", ["", "not json\n", "[]\n", '{"event": {"type": "RunEnded"}}\n', "5\n"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingInvalid):
        ReplayModel.from_file(path)
    with pytest.raises(RecordingInvalid):
        ReplayModel.from_file(tmp_path / "absent.jsonl")


def test_the_demos_recording_is_a_runs_whole_log() -> None:
    from bot.log.events import Entry
    from bot.log.state import fold

    entries = [Entry.model_validate(json.loads(line)) for line in RECORDING.read_text().splitlines()]
    state = fold(entries)
    assert state.status == "done"
    assert state.published is not None
    ReplayModel.from_file(RECORDING)


def test_a_divergence_names_the_first_difference(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    reply = ModelReplied(phase="implement", reply=Reply(tool_calls=(CALL,)), seconds=0)
    seen = ToolCalled(call=CALL, ok=True, text="one\ntwo\nthree", seconds=0)
    path.write_text("".join(event.model_dump_json() + "\n" for event in (reply, seen)))
    ended = [*START, as_message(reply.reply), Message(role="tool", tool_call_id="1", text="one\n2\nthree")]
    with pytest.raises(
        ReplayDiverged, match="First difference: line 2 of the result of look was 'two' and is now '2'"
    ):
        ReplayModel.from_file(path).reply(ended, [LOOK])
    ended[-1] = Message(role="tool", tool_call_id="1", text=seen.text)
    with pytest.raises(ReplayDiverged, match="the run needs one more. Record"):
        ReplayModel.from_file(path).reply(ended, [LOOK])
