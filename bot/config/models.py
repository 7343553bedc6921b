"""The operator's models: from the models file, or from the settings if there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.config.limits import secret
from bot.config.settings import Settings
from gherkin.errors import ScenaristError
from gherkin.yamlfile import read_yaml
from runners.models.roster import Roster
from runners.models.runtimes import ModelsConfig, RuntimeSpec

_ANTHROPIC = "https://api.anthropic.com"


class ModelsInvalid(ScenaristError):
    """The operator's models file cannot be used."""

    code = "SCN-7010"
    next_step = "Correct the file that SCENARIST_MODELS_FILE names; `docs/models.md` lists its keys."


@dataclass(frozen=True)
class ModelServer:
    """Where a runtime's server lists its models: a cheap request that shows whether it can be reached."""

    runtime: str
    url: str
    headers: Mapping[str, str]


def load_models(settings: Settings) -> tuple[ModelsConfig, dict[str, str]]:
    """Return the models, and the keys of their servers by runtime. Raises `ModelsInvalid`."""
    own = {
        "vllm": settings.model_api_key.get_secret_value(),
        "anthropic": settings.anthropic_api_key.get_secret_value(),
        "replay": "",
    }
    config = _of_settings(settings) if settings.models_file is None else read_models(settings.models_file)
    keys = {
        name: secret(f"runtimes.{name}.key", spec.key, ModelsInvalid) if spec.key else own[spec.provider]
        for name, spec in config.runtimes.items()
    }
    return config, keys


def model_servers(settings: Settings, *, with_keys: bool) -> list[ModelServer]:
    """Return the servers of all models; recordings have none. Raises `ModelsInvalid`.

    Without `with_keys` no key is read, because this process may not have them.
    """
    keys: Mapping[str, str] = {}
    if with_keys:
        config, keys = load_models(settings)
    else:
        config = _of_settings(settings) if settings.models_file is None else read_models(settings.models_file)
    found = []
    for name, spec in config.runtimes.items():
        key = keys.get(name, "")
        if spec.provider == "vllm":
            headers = {"authorization": f"Bearer {key}"} if key else {}
            found.append(ModelServer(name, f"{spec.url.rstrip('/')}/models", headers))
        elif spec.provider == "anthropic":
            headers = {"x-api-key": key, "anthropic-version": "2023-06-01"} if key else {}
            found.append(ModelServer(name, f"{(spec.url or _ANTHROPIC).rstrip('/')}/v1/models", headers))
    return found


def require_models(settings: Settings) -> None:
    """Ask the server of each role's first model for its models.

    Interactive commands call this to fail at once, while a run would wait for a server that does not answer.
    Raises `ModelsInvalid`, `RuntimeIncomplete` or `ModelUnavailable`.
    """
    config, keys = load_models(settings)
    roster = Roster(config, settings.runtime, keys, settings.state_dir / "profiles")
    for name in {roster.levels(role)[0] for role in ("analyst", "driver")}:
        roster.of(name)


def read_models(path: Path) -> ModelsConfig:
    """Read the models file at `path`. Raises `ModelsInvalid`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelsInvalid(f"{path} cannot be read: {error}.") from None
    return read_yaml(text, path.name, ModelsConfig, ModelsInvalid)


def _of_settings(settings: Settings) -> ModelsConfig:
    local = RuntimeSpec(provider="vllm", url=settings.model_url, model=settings.model_name)
    # In hybrid mode `model_name` is the local model.
    name = settings.model_name if settings.runtime == "anthropic" else ""
    runtimes = {
        "local": {"local": local},
        "anthropic": {"anthropic": RuntimeSpec(provider="anthropic", model=name)},
        "hybrid": {"local": local, "anthropic": RuntimeSpec(provider="anthropic")},
        "replay": {"replay": RuntimeSpec(provider="replay", recording=settings.recording)},
    }
    return ModelsConfig(runtimes=runtimes[settings.runtime])
