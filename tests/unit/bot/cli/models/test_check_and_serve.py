"""`scenarist models check` and `scenarist models serve`."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.models.serve import ServeFailed, Serving, chat_template, serve, serving
from tests.standins.chat_server import ChatServer


def check(monkeypatch: pytest.MonkeyPatch, folder: Path, models: str) -> tuple[int, str]:
    monkeypatch.setenv("SCENARIST_STATE_DIR", str(folder))
    (folder / "models.yml").write_text(models)
    monkeypatch.setenv("SCENARIST_MODELS_FILE", str(folder / "models.yml"))
    done = CliRunner().invoke(app, ["models", "check"])
    return done.exit_code, done.output


def test_check_prints_what_each_model_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> None:
    with ChatServer([], []) as server:
        server.context_length = 32_768
        code, text = check(
            monkeypatch, tmp_path, f"runtimes:\n  here: {{provider: vllm, url: '{server.url}'}}"
        )
        assert code == 0
        head, row, found = text.splitlines()
        assert head.split() == [
            "runtime",
            "model",
            "roles",
            "context",
            "tools",
            "parallel",
            "schema",
            "thinking",
            "seconds",
        ]
        assert row.split()[:-1] == [
            "here",
            "scripted",
            "analyst,",
            "driver",
            "32,768",
            "native",
            "yes",
            "yes",
            "apart",
        ]
        assert found == "here: a native call came"
        code, text = check(
            monkeypatch,
            tmp_path,
            f"runtimes:\n  here: {{provider: vllm, url: '{server.url}'}}\n"
            f"  away: {{provider: vllm, url: 'http://127.0.0.1:{closed_port}/v1'}}\n  claude: {{provider: "
            f"anthropic}}\n",
        )
    assert code == 1
    assert f"away: SCN-4001: http://127.0.0.1:{closed_port}/v1 does not list its models" in text
    assert "claude: SCN-4005: The runtime claude has no key" in text


def test_the_template_is_found_in_a_folder_and_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert chat_template(str(folder)) == ""
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "a <tool_call>"}))
    assert chat_template(str(folder)) == "a <tool_call>"
    (folder / "chat_template.jinja").write_text("b")
    assert chat_template(str(folder)) == "b"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert chat_template("org/name") is None
    snapshot = tmp_path / "hub" / "models--org--name" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "chat_template.jinja").write_text("c")
    assert chat_template("org/name") == "c"


def fake_gpus(monkeypatch: pytest.MonkeyPatch, folder: Path, count: int) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text("#!/bin/sh\n" + "echo 81559\n" * count)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.mark.parametrize(("cards", "parallel"), [(0, None), (1, None), (2, "2"), (3, "2"), (8, "8")])
def test_the_flags_follow_from_family_and_gpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cards: int, parallel: str | None
) -> None:
    fake_gpus(monkeypatch, tmp_path, cards)
    command = serving("Qwen/Qwen3-Coder-30B", context=65_536, more=["--seed", "1"]).command
    assert command[:3] == ["vllm", "serve", "Qwen/Qwen3-Coder-30B"] and command[-2:] == ["--seed", "1"]
    given = dict(pairwise(command))
    assert given["--tool-call-parser"] == "qwen3_coder" and "--enable-auto-tool-choice" in command
    assert given["--max-model-len"] == "65536" and "--enable-prompt-tokens-details" in command
    assert given.get("--tensor-parallel-size") == parallel


def model_of(folder: Path, gigabytes: float, template: str = "<tool_call><function=name>") -> Path:
    """A folder that looks like a model of that size (a sparse file)."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text(template)
    with (folder / "model.safetensors").open("wb") as weights:
        weights.truncate(int(gigabytes * 1e9))
    return folder


@pytest.mark.parametrize(("gigabytes", "parallel"), [(28, None), (60, "2"), (150, "4"), (2000, "4")])
def test_a_model_that_is_here_is_split_over_as_many_gpus_as_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gigabytes: float, parallel: str | None
) -> None:
    fake_gpus(monkeypatch, tmp_path, 4)
    made = serving(str(model_of(tmp_path / "model", gigabytes)))
    assert dict(pairwise(made.command)).get("--tensor-parallel-size") == parallel
    assert f"{parallel or 1} of 4 GPUs" in made.why


def test_a_context_is_what_fits_unless_one_is_given() -> None:
    assert dict(pairwise(serving("Qwen/Qwen3.6-27B").command))["--max-model-len"] == "auto"


def test_the_encoder_for_images_is_left_out() -> None:
    assert "--language-model-only" in serving("Qwen/Qwen3.6-27B-FP8").command
    assert "--language-model-only" not in serving("openai/gpt-oss-120b").command


def test_a_chat_template_that_the_wheel_lacks_is_named_and_taken_where_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    made = serving("google/gemma-4-31B-it")
    assert "--chat-template" not in made.command
    assert "examples/tool_chat_template_gemma4.jinja, which vLLM's wheel does not have" in made.notes[0]
    assert serving("google/gemma-4-31B-it", more=["--chat-template", "own.jinja"]).notes == ()
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "tool_chat_template_gemma4.jinja").write_text("")
    made = serving("google/gemma-4-31B-it")
    assert dict(pairwise(made.command))["--chat-template"] == "examples/tool_chat_template_gemma4.jinja"
    assert made.notes == ()


def test_mistrals_own_format_is_asked_for_unless_the_model_here_has_another(tmp_path: Path) -> None:
    assert "--config-format" in serving("mistralai/Devstral-2-123B-Instruct").command
    folder = model_of(tmp_path / "devstral-copy", 1, "[AVAILABLE_TOOLS] [TOOL_CALLS]")
    assert "--config-format" not in serving(str(folder)).command
    (folder / "params.json").write_text("{}")
    assert "--config-format" in serving(str(folder)).command


def test_print_shows_the_command_and_starts_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bot",
            "models",
            "serve",
            "openai/gpt-oss-20b",
            "--print",
            "--",
            "--dtype",
            "auto",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("vllm serve openai/gpt-oss-20b ") and done.stdout.endswith("--dtype auto\n")
    assert "by its name" in done.stderr


def test_a_server_that_ends_before_it_is_up_is_an_error(closed_port: int) -> None:
    made = Serving([sys.executable, "-c", "raise SystemExit(3)"], "")
    with pytest.raises(ServeFailed, match="ended with status 3"):
        serve(made, f"http://127.0.0.1:{closed_port}", print)
    with pytest.raises(ServeFailed, match="cannot be started"):
        serve(Serving(["no-such-vllm"], ""), f"http://127.0.0.1:{closed_port}", print)
