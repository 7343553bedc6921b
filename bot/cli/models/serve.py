"""`scenarist models serve`: starts vLLM with the flags that a model's family needs."""

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer

from bot.cli.options import Host, Port
from gherkin.errors import ScenaristError
from runners.models.vllm_families import ModelFamily, family_of

_START_S = 1800.0
_ANSWER_TOKENS = 128
_SIDE_BY_SIDE = 8
# Weights may take this share of a GPU's memory; the rest is for the cache and activations.
_SHARE = 0.65


class ServeFailed(ScenaristError):
    """The model server did not start."""

    code = "SCN-7011"
    next_step = "Read what vLLM printed above; `scenarist models serve MODEL --print` shows the command."


@dataclass(frozen=True)
class Serving:
    """The command, a text on the reasons for its flags, and notes for the operator."""

    command: list[str]
    why: str
    notes: tuple[str, ...] = ()


def serve_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A folder, or a name on Hugging Face's hub.")],
    host: Host = "127.0.0.1",
    port: Port = 8000,
    context_length: Annotated[int, typer.Option(min=0, help="In tokens; 0: the model's own.")] = 0,
    python: Annotated[str, typer.Option(help="The Python that has vLLM; left out: `vllm` on the PATH.")] = "",
    only_print: Annotated[bool, typer.Option("--print", help="Print the command only.")] = False,
) -> None:
    """Start `vllm serve` with the flags that the model's family needs.

    Further flags are passed on to vLLM.
    """
    made = serving(model, python=python, host=host, port=port, context=context_length, more=context.args)
    for line in (made.why, *made.notes):
        typer.echo(f"# {line}", err=True)
    typer.echo(shlex.join(made.command))
    if not only_print:
        raise typer.Exit(serve(made, f"http://{host}:{port}", typer.echo))


def serving(
    model: str,
    *,
    python: str = "",
    host: str = "127.0.0.1",
    port: int = 8000,
    context: int = 0,
    more: Sequence[str] = (),
) -> Serving:
    """Return how to serve `model`, a folder or a name on Hugging Face's hub.

    `context` is in tokens; with 0 vLLM takes as much of the model's own as fits into memory. `more` are
    further flags, which come last, so that they win.
    """
    family, why = family_of(model, chat_template(model))
    start = [python, "-m", "vllm.entrypoints.openai.api_server", "--model"] if python else ["vllm", "serve"]
    # Without the last flag the usage does not say what a cache served.
    flags = ["--host", host, "--port", str(port), "--enable-prefix-caching", "--enable-prompt-tokens-details"]
    flags += ["--max-model-len", str(context or "auto")]
    notes: list[str] = []
    if family is not None:
        flags += ["--enable-auto-tool-choice", "--tool-call-parser", family.tools]
        if family.reasoning:
            flags += ["--reasoning-parser", family.reasoning]
        if family.images:
            flags += ["--language-model-only"]
        if not _is_converted(model, family):
            flags += family.flags
        if family.template and "--chat-template" not in more:
            found = _vllm_template(family.template)
            flags += ["--chat-template", str(found)] if found else []
            notes += [] if found else [_NO_TEMPLATE.format(family.template)]
    cards = gpus()
    needed = cards_needed(cards, _weights_mb(model))
    if needed > 1:
        flags += ["--tensor-parallel-size", str(needed)]
    here = f"{needed} of {len(cards)} GPUs" if len(cards) > 1 else f"{len(cards) or 'no'} GPU here"
    return Serving([*start, model, *flags, *more], f"{why}; {here}", tuple(notes))


# Where vLLM's source tree and its container image have their examples.
_EXAMPLES = (Path("examples"), Path("/vllm-workspace/examples"))
_NO_TEMPLATE = (
    "vLLM's recipe for this model uses the chat template examples/{0}, which vLLM's wheel does not have. "
    "Take it from vLLM's source tree and add `--chat-template FILE`; without it the model's own is used."
)


def _vllm_template(name: str) -> Path | None:
    return next((folder / name for folder in _EXAMPLES if (folder / name).is_file()), None)


def _is_converted(model: str, family: ModelFamily) -> bool:
    """Return whether it is a Mistral model in Hugging Face's format, without the files that Mistral's
    flags need.
    """
    folders = _folders(model)
    own = any((folder / "params.json").exists() for folder in folders)
    return "--config-format" in family.flags and bool(folders) and not own


def chat_template(model: str) -> str | None:
    """Return the chat template of a model in a folder or in the hub's cache; None if it is in neither."""
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


def gpus() -> list[int]:
    """Return the memory of each NVIDIA GPU of this machine, in MB."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    return [int(line) for line in listed.stdout.split() if line.isdigit()]


def cards_needed(cards: Sequence[int], weights_mb: int) -> int:
    """Return how many GPUs to split a model over: the smallest power of two whose memory holds it with a
    cache.

    It is the largest power of two if the size is not known (0), or if even that is too small.
    """
    most = 1 << (len(cards).bit_length() - 1) if cards else 0
    count = 1
    while weights_mb and count < most:
        if count * min(cards) * _SHARE >= weights_mb:
            return count
        count *= 2
    return most


def _weights_mb(model: str) -> int:
    """Return the size of a model's weights on this machine, 0 if they are not here."""
    for folder in _folders(model):
        for kind in ("*.safetensors", "*.bin", "*.gguf"):
            size = sum(path.stat().st_size for path in folder.glob(kind))
            if size:
                return max(1, size // 1_000_000)
    return 0


def serve(made: Serving, url: str, say: Callable[[str], None]) -> int:
    """Run the server until it ends, and return its exit status. Raises `ServeFailed`.

    `say` is told when the server is up, and how fast it is.
    """
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
    """Return the tokens a second for one request and for several at once, in words. Raises `ServeFailed`."""
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
        raise ServeFailed(f"The server is up but answers no request ({type(error).__name__}).") from None
    return f"{speeds[0]:.0f} tokens/s for one request, {speeds[1]:.0f} tokens/s for {_SIDE_BY_SIDE} at once"
