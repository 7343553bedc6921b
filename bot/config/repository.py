"""A repository's `.scenarist.yml`, always read from its default branch."""

from pydantic import Field

from gherkin.errors import ScenaristError
from gherkin.yamlfile import read_yaml
from runners.contract.job import RunSettings

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
    return read_yaml(text, FILE, RepoConfig, ConfigInvalid)
