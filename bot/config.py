"""A repository's `.scenarist.yml`, always read from its default branch."""

import yaml
from pydantic import Field, ValidationError

from gherkin.errors import ScenaristError
from runners.job import RunSettings

FILE = ".scenarist.yml"


class ConfigInvalid(ScenaristError):
    """The repository's `.scenarist.yml` cannot be used."""

    code = "SCN-7002"
    next_step = (
        "Correct the file on the default branch (`docs/config.md` lists the keys) and set the label again."
    )


class RepoConfig(RunSettings):
    """The keys of `.scenarist.yml`; an absent file means all defaults."""

    version: int = Field(default=1, ge=1, le=1, description="Version of this file's format.")

    def run_settings(self) -> RunSettings:
        return RunSettings.model_validate(self.model_dump(include=set(RunSettings.model_fields)))


def parse_config(text: str) -> RepoConfig:
    """Read the file's text. Raises `ConfigInvalid` that names the line or key and what is valid."""
    try:
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigInvalid(f"{FILE} line {line}: {error.problem or 'not valid YAML'}.") from None
    except yaml.YAMLError:
        raise ConfigInvalid(f"{FILE} is not valid YAML.") from None
    if data is None:
        return RepoConfig()
    if not isinstance(data, dict):
        raise ConfigInvalid(f"{FILE} must hold keys and values.")
    try:
        return RepoConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = ", ".join(sorted(RepoConfig.model_fields))
        hint = f" Known keys: {known}." if first["type"] == "extra_forbidden" else ""
        raise ConfigInvalid(f"{FILE}: {key}: {first['msg']}.{hint}") from None
