"""A repository's `.scenarist.yml`, always read from its default branch."""

from pathlib import Path
from typing import Any

from pydantic import Field

from bot.comment_commands.parser import CommandName
from bot.comment_commands.rights import Who
from gherkin.errors import ScenaristError
from gherkin.yamlfile import read_yaml
from runners.contract.job import RunSettings
from runners.environment.finding.sources import Sources
from runners.environment.finding.unset import found_behave, found_suites

FILE = ".scenarist.yml"
# The name of the schema; `scenarist config schema` prints it, so that no server is needed.
SCHEMA_ID = "urn:scenarist:config:1"


class ConfigInvalid(ScenaristError):
    """The repository's `.scenarist.yml` cannot be used."""

    code = "SCN-7002"
    next_step = "Correct that line of the file on the default branch, then remove the label and set it again."


class RepoConfig(RunSettings):
    """The keys of `.scenarist.yml`; an absent file means all defaults."""

    may: dict[CommandName, tuple[Who, ...]] = Field(
        default={},
        description="Who may give a command in a comment, by its name: `read`, `write`, `maintain` or "
        "`admin` access at least, the `author` of the issue, or `team:NAME` (a team's slug on GitHub, a "
        "group's path on GitLab). Not set: `write`, and for `help` and `status` also the `author`.",
    )
    version: int = Field(default=1, ge=1, le=1, description="Version of this file's format.")

    def run_settings(self) -> RunSettings:
        return RunSettings.model_validate(self.model_dump(include=set(RunSettings.model_fields)))


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of `.scenarist.yml`, which editors use for completion and checks."""
    found = RepoConfig.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **found,
        "title": FILE,
    }


def settings_of(git_dir: Path, commit: str) -> RunSettings:
    """Return the settings of the repository at `commit`.

    Keys that `.scenarist.yml` does not set are found in the repository's other files. Raises `ConfigInvalid`.
    """
    sources = Sources.of_commit(git_dir, commit)
    config = parse_config(sources.text(FILE))
    found = {"tests": found_suites(sources), "behave": found_behave(sources)}
    unset = {name: value for name, value in found.items() if name not in config.model_fields_set}
    return config.run_settings().model_copy(update=unset)


def parse_config(text: str) -> RepoConfig:
    """Read the file's text. Raises `ConfigInvalid`, which names the line or key and the valid values."""
    return read_yaml(text, FILE, RepoConfig, ConfigInvalid)
