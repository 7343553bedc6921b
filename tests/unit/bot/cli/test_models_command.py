"""`scenarist models check` and `scenarist models serve`."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.serve_model import ServeFailed, Serving, chat_template, family_of, serve, serving
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
            f"  away: {{provider: vllm, url: 'http://127.0.0.1:{closed_port}/v1'}}\n  claude: {{provider: anthropic}}\n",
        )
    assert code == 1
    assert f"away: SCN-4001: http://127.0.0.1:{closed_port}/v1 does not list its models" in text
    assert "claude: SCN-4005: The runtime claude has no key" in text


@pytest.mark.parametrize(
    ("template", "tools", "reasoning"),
    [
        ("{% for t in tools %}<tool_call>\n{{ t }}</tool_call>{% endfor %}", "hermes", ""),
        ("<tool_call> <think>", "hermes", "qwen3"),
        ("<tool_call><function=name>", "qwen3_coder", ""),
        ("[AVAILABLE_TOOLS] [TOOL_CALLS]", "mistral", ""),
        ("<|python_tag|>", "llama3_json", ""),
        ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", "deepseek_v31", "deepseek_v3"),
        ("<｜tool▁calls▁begin｜>function<｜tool▁sep｜>", "deepseek_v3", "deepseek_r1"),
        ("<|start|>assistant<|channel|>commentary", "openai", "openai_gptoss"),
        ("<tool_call>{name}<arg_key>", "glm45", "glm45"),
    ],
)
def test_a_family_is_known_by_its_chat_template(template: str, tools: str, reasoning: str) -> None:
    family, _ = family_of("no/matter", template)
    assert family is not None and (family.tools, family.reasoning) == (tools, reasoning)


@pytest.mark.parametrize(
    ("name", "tools"),
    [
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder"),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", "hermes"),
        ("openai/gpt-oss-120b", "openai"),
        ("mistralai/Devstral-Small-2507", "mistral"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3_json"),
    ],
)
def test_one_that_is_not_here_is_known_by_its_name(name: str, tools: str) -> None:
    family, why = family_of(name, None)
    assert family is not None and family.tools == tools and "by its name" in why


def test_a_template_without_tools_and_an_unknown_name_get_no_parser() -> None:
    assert family_of("Qwen/Qwen3", "{{ messages }}")[0] is None
    assert family_of("who/knows", None)[0] is None


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
    tool.write_text("#!/bin/sh\n" + "".join(f"echo 'GPU {at}: H200 (UUID: x)'\n" for at in range(count)))
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
