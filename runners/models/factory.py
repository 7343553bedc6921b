"""Builds the configured chat model."""

from pathlib import Path
from typing import Literal

from gherkin.errors import ScenaristError
from runners.models.chat import ChatModel, ModelUnavailable

Runtime = Literal["vllm", "anthropic", "replay"]
CLAUDE = "claude-sonnet-5-5"


class RuntimeIncomplete(ScenaristError):
    """The chosen runtime lacks a setting."""

    code = "SCN-4005"
    next_step = "Set it in the environment of the runner; `docs/settings.md` lists all of them."


def build_model(runtime: Runtime, *, url: str, name: str, api_key: str, recording: Path | None) -> ChatModel:
    """The model of `runtime`; an empty `name` means the server's first model, or Claude Sonnet.

    Raises `RuntimeIncomplete`, `RecordingInvalid` or `ModelUnavailable`.
    """
    if runtime == "replay":
        from runners.models.replay import ReplayModel

        if recording is None:
            raise RuntimeIncomplete("SCENARIST_RECORDING is not set.")
        return ReplayModel.from_file(recording)
    if runtime == "anthropic":
        from runners.models.anthropic import AnthropicModel

        if not api_key:
            raise RuntimeIncomplete("SCENARIST_ANTHROPIC_API_KEY is not set.")
        return AnthropicModel(name or CLAUDE, api_key=api_key, url=url or None)
    from runners.models.vllm import VllmModel

    return VllmModel(url, name or _first_model(url, api_key), api_key=api_key)


def _first_model(url: str, api_key: str) -> str:
    import openai

    try:
        served = openai.OpenAI(
            base_url=url, api_key=api_key or "none", max_retries=2, timeout=20
        ).models.list()
    except openai.OpenAIError as error:
        raise ModelUnavailable(f"{url} does not list its models ({type(error).__name__}).") from None
    if not served.data:
        raise ModelUnavailable(f"{url} serves no model.")
    return served.data[0].id
