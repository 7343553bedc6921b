"""The demo on a real vLLM server, with a tiny model that was taught the recorded run by heart."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bot.demo
from tests.standins.chat_server import ChatServer, recorded_turns
from tests.support.vllm_server import PYTHON, ROOT, Vllm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RECORDING = Path(bot.demo.__file__).parent / "recording.jsonl"


def demo(url: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "demo", "--json", "--runtime", "local", "--model-url", url],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def conversations() -> list[dict[str, Any]]:
    """The recorded run's two conversations, as the bot holds them."""
    turns = recorded_turns(RECORDING)
    with ChatServer(turns["specify"], turns["implement"]) as server:
        demo(server.url)
        specify = next(each for each in server.requests if "response_format" in each)
        implement = [each for each in server.requests if "response_format" not in each][-1]
    last = turns["implement"][-1].tool_calls[0]
    finish = {"function": {"name": last.name, "arguments": last.arguments}}
    answer = {"role": "assistant", "content": _whole(json.loads(turns["specify"][0].text))}
    made = [
        {"messages": [*specify["messages"], answer]},
        {
            "messages": [
                *implement["messages"],
                {"role": "assistant", "content": "", "tool_calls": [finish]},
            ],
            "tools": implement["tools"],
        },
    ]
    for message in made[1]["messages"]:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return made


def _whole(draft: dict[str, Any]) -> str:
    """A draft with every key of the schema, in its order: so it comes under constrained decoding."""
    for scenario in draft["scenarios"]:
        scenario["steps"] = [{**step, "table": None, "doc_string": None} for step in scenario["steps"]]
    return json.dumps({**draft, "terms": draft.get("terms", [])})


def test_the_demo_reaches_its_pull_request_on_vllm(tmp_path: Path) -> None:
    recorded = conversations()
    (tmp_path / "conversations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in recorded))
    subprocess.run(
        [PYTHON, ROOT / "tests/vllm/tiny_model.py", tmp_path / "model", tmp_path / "conversations.jsonl"],
        check=True,
        timeout=1500,
    )
    server = Vllm(tmp_path / "model", tmp_path / "log", context=32_768)
    try:
        result = demo(server.url)
    finally:
        server.kill()
    assert result["ok"], result
    print(f"a pull request on vLLM in {result['seconds']} s: {result}")
