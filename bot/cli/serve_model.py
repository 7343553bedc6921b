"""`scenarist models serve`: vLLM with the flags that a model's family needs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from gherkin.errors import ScenaristError

_START_S = 1800.0
_ANSWER_TOKENS = 128
_SIDE_BY_SIDE = 8


class ServeFailed(ScenaristError):
    """The model server did not start."""

    code = "SCN-7011"
    next_step = "Read what vLLM printed above; `scenarist models serve MODEL --print` shows the command."


@dataclass(frozen=True)
class Family:
    """How a family writes calls and thoughts; the names of vLLM's parsers."""

    tools: str
    reasoning: str = ""


# What a chat template that can call tools holds, the most telling first.
# https://docs.vllm.ai/en/latest/features/tool_calling.html
_TEMPLATES: tuple[tuple[str, Family], ...] = (
    ("<|tool_calls_section_begin|>", Family("kimi_k2", "kimi_k2")),
    ("<minimax:tool_call>", Family("minimax_m2", "minimax_m2")),
    ("｜DSML｜", Family("deepseek_v32", "deepseek_v3")),
    ("<｜tool▁calls▁begin｜>function", Family("deepseek_v3", "deepseek_r1")),
    ("<｜tool▁calls▁begin｜>", Family("deepseek_v31", "deepseek_v3")),
    ("<|channel|>", Family("openai", "openai_gptoss")),
    ("<arg_key>", Family("glm45", "glm45")),
    ("<seed:tool_call>", Family("seed_oss", "seed_oss")),
    ("[TOOL_CALLS]", Family("mistral")),
    ("<function=", Family("qwen3_coder")),
    ("<|python_tag|>", Family("llama3_json")),
    ("<|tool_call|>", Family("granite")),
    ("<tool_call>", Family("hermes")),
)
# For models that are not on this machine yet: by name, which can be wrong.
_NAMES: tuple[tuple[str, Family], ...] = (
    (r"qwen3.*coder", Family("qwen3_coder")),
    (r"qwen3.*thinking|qwq", Family("hermes", "qwen3")),
    (r"qwen|hermes", Family("hermes")),
    (r"gpt-oss", Family("openai", "openai_gptoss")),
    (r"deepseek.*v3\.2", Family("deepseek_v32", "deepseek_v3")),
    (r"deepseek.*v3\.1", Family("deepseek_v31", "deepseek_v3")),
    (r"deepseek.*(v3|r1)", Family("deepseek_v3", "deepseek_r1")),
    (r"(mistral|mixtral|codestral|devstral|magistral)", Family("mistral")),
    (r"llama-?4", Family("llama4_pythonic")),
    (r"llama-?3", Family("llama3_json")),
    (r"kimi-?k2", Family("kimi_k2", "kimi_k2")),
    (r"minimax-?m2", Family("minimax_m2", "minimax_m2")),
    (r"glm-?4\.[5-9]", Family("glm45", "glm45")),
    (r"seed-?oss", Family("seed_oss", "seed_oss")),
    (r"granite", Family("granite")),
)
_THINKS = {"hermes": "qwen3", "qwen3_coder": "qwen3"}


@dataclass(frozen=True)
class Serving:
    """The command, and in words what its flags come from."""

    command: list[str]
    why: str


def serving(
    model: str,
    *,
    python: str = "",
    host: str = "127.0.0.1",
    port: int = 8000,
    context: int = 0,
    more: Sequence[str] = (),
) -> Serving:
    """How to serve `model`, a folder or a name on Hugging Face's hub; `context` in tokens, 0 for the model's own."""
    template = chat_template(model)
    family, why = family_of(model, template)
    start = [python, "-m", "vllm.entrypoints.openai.api_server", "--model"] if python else ["vllm", "serve"]
    # What a cache served is in the usage only if it is asked for.
    flags = ["--host", host, "--port", str(port), "--enable-prefix-caching", "--enable-prompt-tokens-details"]
    if family is not None:
        flags += ["--enable-auto-tool-choice", "--tool-call-parser", family.tools]
        if family.reasoning:
            flags += ["--reasoning-parser", family.reasoning]
        if family.tools == "mistral" and template is None:
            flags += ["--tokenizer-mode", "mistral"]
    if context:
        flags += ["--max-model-len", str(context)]
    cards = gpus()
    if cards > 1:
        flags += ["--tensor-parallel-size", str(1 << (cards.bit_length() - 1))]
    return Serving(
        [*start, model, *flags, *more], f"{why}; {cards or 'no'} GPU{'s' if cards > 1 else ''} here"
    )


def family_of(model: str, template: str | None) -> tuple[Family | None, str]:
    """The family by what the chat template holds, or by the name where there is no template; and what it was found by."""
    if template is not None:
        for mark, family in _TEMPLATES:
            if mark in template:
                thinks = family.reasoning or (_THINKS.get(family.tools, "") if "<think>" in template else "")
                return Family(family.tools, thinks), f"its chat template holds {mark}"
        return None, "its chat template knows no tools, so that calls come as text"
    for pattern, family in _NAMES:
        if re.search(pattern, model, re.IGNORECASE):
            return family, "by its name, as it is not on this machine yet"
    return None, "its family is not known, so that calls come as text"


def chat_template(model: str) -> str | None:
    """The chat template of a model that is on this machine: in a folder, or in the cache of Hugging Face's hub."""
    for folder in _folders(model):
        for name in ("chat_template.jinja", "chat_template.json", "tokenizer_config.json"):
            try:
                text = (folder / name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if name.endswith(".jinja"):
                return text
            try:
                found = json.loads(text).get("chat_template")
            except (ValueError, AttributeError):
                continue
            if found:
                return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        if (folder / "config.json").exists():
            return ""
    return None


def _folders(model: str) -> list[Path]:
    if Path(model).is_dir():
        return [Path(model)]
    home = Path(os.environ.get("HF_HOME", "") or Path.home() / ".cache/huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE", "") or home / "hub")
    return sorted((hub / f"models--{model.replace('/', '--')}" / "snapshots").glob("*"), reverse=True)


def gpus() -> int:
    """How many NVIDIA GPUs this machine has."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, timeout=30, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def serve(made: Serving, url: str, say: Callable[[str], None]) -> int:
    """Run the server until it ends, which is its exit status; says when it is up and how fast it is. Raises `ServeFailed`."""
    try:
        process = subprocess.Popen(made.command)
    except OSError as error:
        raise ServeFailed(f"{shlex.join(made.command[:1])} cannot be started: {error.strerror}.") from None
    try:
        _until_healthy(process, url)
        say(f"Up: SCENARIST_MODEL_URL={url}/v1")
        say(throughput(url))
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_healthy(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServeFailed(f"vLLM ended with status {process.returncode} before it was up.")
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass  # it is still loading
        time.sleep(1)
    raise ServeFailed(f"vLLM was not up after {_START_S / 60:.0f} minutes.")


def throughput(url: str) -> str:
    """Tokens a second for one request, and for several at once, in words. Raises `ServeFailed`."""
    try:
        model = httpx.get(f"{url}/v1/models", timeout=20).json()["data"][0]["id"]
        ask = {
            "model": model,
            "prompt": "The quick brown fox",
            "max_tokens": _ANSWER_TOKENS,
            "ignore_eos": True,
        }

        def tokens(_: int) -> int:
            answer = httpx.post(f"{url}/v1/completions", json=ask, timeout=600).raise_for_status()
            return int(answer.json()["usage"]["completion_tokens"])

        tokens(0)  # the first one compiles and warms up
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            speeds = []
            for many in (1, _SIDE_BY_SIDE):
                started = time.monotonic()
                made = sum(pool.map(tokens, range(many)))
                speeds.append(made / (time.monotonic() - started))
    except (httpx.HTTPError, LookupError, ValueError) as error:
        raise ServeFailed(f"The server is up and answers no request ({type(error).__name__}).") from None
    return f"{speeds[0]:.0f} tokens/s for one request, {speeds[1]:.0f} tokens/s for {_SIDE_BY_SIDE} at once"
