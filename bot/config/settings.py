"""The process's settings, read from environment variables (prefix ``SCENARIST_``).

Secrets are in these variables or in files that they name.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url

from bot.config.urls import broker_url, database_url
from gherkin.errors import ScenaristError
from gherkin.validation import in_words
from runners.contract.operator_limits import Runner
from runners.models.runtimes import Mode
from runners.sandbox.limits import CommandLimits

# Variables that other modules read.
# The token of a launch that works through the web app.
RUN_TOKEN = "SCENARIST_RUN_TOKEN"  # noqa: S105 - a variable's name
OTHER_VARIABLES = {"SCENARIST_DEBUG", "SCENARIST_QUEUES", RUN_TOKEN}


_SECRET = re.compile(r"^SCENARIST_|TOKEN|SECRET|PASSW|PRIVATE|CREDENTIAL|(^|_)(API_?)?KEY(_|$)", re.I)


class SettingsInvalid(ScenaristError):
    """A setting in the environment is wrong or missing."""

    code = "SCN-7001"
    next_step = "Correct the environment variable; `docs/settings.md` lists all of them."


class Settings(BaseSettings):
    """The operator's settings. Each field is the environment variable ``SCENARIST_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="SCENARIST_", extra="ignore", populate_by_name=True)

    state_dir: Path = Field(
        default=Path(".scenarist-state"),
        description="The folder for mirrors, worktrees and the SQLite database.",
    )
    database_url: str = Field(default="", description="The database. Empty: SQLite in the state folder.")
    broker_url: str = Field(default="redis://127.0.0.1:6379/0", description="Redis for Celery.")
    public_url: str = Field(default="", description="The web app's public address, for links to runs.")
    control_token: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "The operator's token, to sign in on the pages and as the bearer token of `POST "
            "/runs/ID/pause` (resume, cancel, retry). Empty: there is none."
        ),
    )
    pages: Literal["members", "link", "public"] = Field(
        default="members",
        description="Who may see runs on the pages: `members`, those who can see the repository on the "
        "forge; `link`, also whoever has the address of a run's page; `public`, everybody.",
    )
    session_secret: SecretStr = Field(
        default=SecretStr(""),
        description="The key that encrypts the cookies of signed-in people. Empty: a new one at each start "
        "of the web app, which ends all sessions. Set it if several web apps share one address.",
    )
    max_body_bytes: int = Field(
        default=25_000_000, ge=1000, description="The largest webhook that is accepted, in bytes."
    )

    trigger_label: str = Field(default="agent:implement", description="The label that starts a run.")
    spec_label: str = Field(
        default="agent:spec", description="The label that starts a run whose scenarios wait for an approval."
    )

    onboarding: bool = Field(
        default=True,
        description="Whether a repository that the bot is given access to gets a pull request with a "
        "`.scenarist.yml`; see [onboarding.md](onboarding.md).",
    )

    gitlab_url: str = Field(default="https://gitlab.com", description="Address of the GitLab server.")
    gitlab_token: SecretStr = Field(
        default=SecretStr(""),
        description="The bot's access token on GitLab, with the scopes api and write_repository.",
    )
    gitlab_webhook_token: SecretStr = Field(
        default=SecretStr(""), description="The secret token of GitLab's webhooks."
    )
    gitlab_client_id: str = Field(
        default="", description="The id of GitLab's OAuth application with which people sign in on the pages."
    )
    gitlab_client_secret: SecretStr = Field(
        default=SecretStr(""), description="The secret of that application."
    )
    gitlab_signing_token: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "The signing token (whsec_…) of GitLab's webhooks; with it only signed deliveries are accepted."
        ),
    )

    github_api_url: str = Field(default="https://api.github.com", description="GHES: https://HOST/api/v3.")
    github_app_id: str = Field(default="", description="The GitHub App's id or client id.")
    github_private_key_file: Path | None = Field(default=None, description="The App's private key (PEM).")
    github_private_key: SecretStr = Field(
        default=SecretStr(""),
        description="The key itself instead of a file, for a job of GitHub Actions.",
    )
    github_client_id: str = Field(
        default="", description="The App's client id, with which people sign in on the pages."
    )
    github_client_secret: SecretStr = Field(default=SecretStr(""), description="The App's client secret.")
    github_web_url: str = Field(
        default="", description="GitHub's web address, if it cannot be derived from the API's address."
    )
    github_webhook_secret: SecretStr = Field(default=SecretStr(""), description="The App's webhook secret.")
    github_token: SecretStr = Field(
        default=SecretStr(""), description="A job's own token instead of an App (GitHub Actions)."
    )
    github_git_url: str = Field(
        default="", description="Base of clone URLs, if it is not the web address of the API's host."
    )

    local_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs the deliveries of the local forge."
    )

    runtime: Annotated[Mode, BeforeValidator(lambda given: "local" if given == "vllm" else given)] = Field(
        default="local",
        validation_alias=AliasChoices("AGENT_RUNTIME_MODE", "SCENARIST_RUNTIME"),
        description="Which models to use; `AGENT_RUNTIME_MODE` is another name. `vllm` means `local`.",
    )
    models_file: Path | None = Field(
        default=None, description="The models file: the models and their roles (YAML, see models.md)."
    )
    model_url: str = Field(
        default="http://127.0.0.1:8000/v1", description="The local model server's API (vLLM)."
    )
    model_name: str = Field(
        default="", description="The model's name. Empty: the server's first model, or Claude Sonnet."
    )
    model_api_key: SecretStr = Field(default=SecretStr(""), description="Key of the model server.")
    anthropic_api_key: SecretStr = Field(default=SecretStr(""), description="Key of Anthropic's API.")
    recording: Path | None = Field(default=None, description="The run log whose replies `replay` repeats.")

    limits_file: Path | None = Field(
        default=None, description="The limits file: what runs may do on this machine (YAML, see policy.md)."
    )
    workflow_file: Path | None = Field(
        default=None,
        description="The workflow file: an operator's nodes between the phases of a run (YAML, see "
        "workflow.md). The same for all workers.",
    )
    unsafe_no_sandbox: bool = Field(default=False, description="Run commands without bubblewrap.")
    command_seconds: float = Field(
        default=600, gt=0, description="The longest time that one command may take, in seconds."
    )
    suite_seconds: float = Field(
        default=1800,
        gt=0,
        description="The longest time that a whole suite may take on the base, in seconds. With the change "
        "it may take four times as long as it took on the base.",
    )
    command_memory_mb: int = Field(
        default=4096, ge=64, description="The memory that one command may use, in MiB."
    )

    runner: Runner = Field(
        default="celery",
        description="Where the phases that run repository code are done: by `runs` workers (`celery`), "
        "in Kubernetes Jobs (`kubernetes`, see [kubernetes-jobs.md](kubernetes-jobs.md)), or in jobs of "
        "GitHub Actions (`actions`, see [actions.md](actions.md)).",
    )
    kubernetes_file: Path | None = Field(
        default=None, description="The values file of Kubernetes Jobs (YAML, see kubernetes-jobs.md)."
    )
    runner_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signs the tokens of runs that work through the web app: in jobs of GitHub Actions, or "
        "in Kubernetes Jobs with `web_url`; at least 32 characters, the same for the web app and the "
        "dispatcher (see [actions.md](actions.md)).",
    )
    actions_workflow: str = Field(
        default="scenarist.yml",
        pattern=r"^[\w.-]+\.ya?ml$",
        description="The workflow file in each repository that does runs in GitHub Actions.",
    )
    runs_at_once: int = Field(
        default=1, ge=1, le=64, description="Runs that the `runs` worker of `scenarist up` works on at once."
    )
    spare_memory_mb: int = Field(
        default=0,
        ge=0,
        description="A `runs` worker begins no further run while less memory (MB) is available on its "
        "machine; one run is always worked on. 0: memory is not looked at.",
    )
    most_load: float = Field(
        default=0,
        ge=0,
        description="A `runs` worker begins no further run while the load of the last minute per processor "
        "is higher; one run is always worked on. 0: the load is not looked at.",
    )
    carry_base: bool = Field(
        default=False, description="Store the base commits as artifacts, for runners on other machines."
    )

    keep_days: float = Field(
        default=30,
        gt=0,
        description="`scenarist gc` removes the files of runs that ended, and mirrors and environments "
        "that were not used, more than this many days ago.",
    )
    keep_gb: float = Field(
        default=50,
        gt=0,
        description="`scenarist gc` removes the least used mirrors and environments until all together are "
        "smaller than this.",
    )

    registries: str = Field(
        default="",
        description="More hosts that the set-up of environments may reach (`NAME`, `NAME:PORT`, `*.NAME`; "
        "separated by commas), besides public registries and those that pip, uv and npm are set to.",
    )

    pass_env: str = Field(
        default="",
        description="`NAME=VALUE`, separated by commas: variables that a repository's tests may see where "
        "its tox passes them (`pass_env`) or nox runs them. No secrets: repositories can read them.",
    )

    redeliver_seconds: float = Field(
        default=600,
        gt=0,
        description="The seconds between two requests to GitHub for deliveries that did not arrive.",
    )
    stop_seconds: float = Field(
        default=30,
        ge=2,
        description="The seconds that a worker has after SIGTERM to end its current turns; other workers "
        "then continue its runs. Wait longer than this before you kill it.",
    )
    metrics_address: str = Field(
        default="",
        pattern=r"^(|\S+:\d{1,5})$",
        description="HOST:PORT where this process answers `/metrics`, `/healthz` and `/readyz` without a "
        "token; bind it to a network that only your monitoring reaches. Empty: nowhere. The web app "
        "answers `/metrics` in any case, for those with a token.",
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="A bearer token with which the web app's `/metrics` can be read, besides the operator's.",
    )
    metrics_repositories: bool = Field(
        default=False,
        description="Whether metrics have the names of repositories as a label.",
    )
    log_format: Literal["console", "json"] = Field(
        default="console",
        description="How processes write their logs: `console`, lines of text; `json`, one object a line.",
    )
    stuck_seconds: float = Field(
        default=7200,
        gt=0,
        description="If a worker is alive but its run logs nothing for this many seconds, another worker "
        "continues the run. Keep this well above the time that a repository's test suites take together.",
    )
    queue_seconds: float = Field(
        default=1800,
        gt=0,
        description="The health checks warn if a run or a delivery waits longer than this for a worker.",
    )
    lease_seconds: float = Field(
        default=30,
        ge=2,
        le=3600,
        description="A worker loses its run if it gives no sign of life for this many seconds.",
    )
    status_seconds: float = Field(
        default=10,
        ge=0,
        description="The fewest seconds between two edits of a status comment within one phase.",
    )
    retry_seconds: float = Field(
        default=2,
        gt=0,
        le=60,
        description="The seconds before a phase with a temporary error is repeated; they double each time.",
    )
    reap_seconds: float = Field(
        default=5, ge=0.5, description="The seconds between two searches of the reaper for unfinished work."
    )

    @property
    def registry_hosts(self) -> list[str]:
        """Return the hosts in `registries`."""
        return [each.strip() for each in self.registries.split(",") if each.strip()]

    @property
    def passed_variables(self) -> dict[str, str]:
        """Return the variables in `pass_env`, by name."""
        pairs = (each.partition("=") for each in self.pass_env.split(",") if each.strip())
        return {name.strip(): value.strip() for name, _, value in pairs}

    @field_validator("pass_env")
    @classmethod
    def _pass_env(cls, given: str) -> str:
        for each in filter(None, map(str.strip, given.split(","))):
            name, equals, value = each.partition("=")
            if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name.strip()):
                raise ValueError(f"{each.partition('=')[0][:60]!r} is not of the form NAME=VALUE")
            if _SECRET.search(name) or re.search(r"://[^/@\s]+:[^/@\s]+@", value):
                raise ValueError(f"{name.strip()} looks like a secret, and any repository could read it")
        return given

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, given: str) -> str:
        return database_url(given)

    @field_validator("broker_url")
    @classmethod
    def _broker_url(cls, given: str) -> str:
        return broker_url(given)

    @property
    def command_limits(self) -> CommandLimits:
        """Return the limits of the commands that runs execute."""
        return CommandLimits(
            wall_s=self.command_seconds, suite_s=self.suite_seconds, memory_mb=self.command_memory_mb
        )

    @property
    def secrets(self) -> list[str]:
        """Return the values of all secrets that are set, for redaction."""
        found = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        password = make_url(self.database_url).password if self.database_url else None
        broker = urlsplit(self.broker_url).password
        return [each for each in (*found, password, broker) if each]

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.state_dir.resolve() / 'scenarist.db'}"


def load_settings() -> Settings:
    """Read the settings from the environment. Raises `SettingsInvalid`, which names the variable."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        if name != "AGENT_RUNTIME_MODE" or name not in os.environ:
            name = f"SCENARIST_{name.removeprefix('SCENARIST_')}".replace("_AGENT_RUNTIME_MODE", "_RUNTIME")
        raise SettingsInvalid(f"{in_words({**first, 'loc': (name,)}, name)}.") from None


def has_forge(settings: Settings) -> bool:
    """Return whether any forge's webhooks can be received."""
    secrets = (settings.github_webhook_secret, settings.gitlab_webhook_token, settings.gitlab_signing_token)
    return any(each.get_secret_value() for each in (*secrets, settings.local_webhook_secret))


def secret_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the values of variables whose names say that they hold a secret, such as a token or a key."""
    named = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|OTLP_(\w+_)?HEADERS", re.I)
    return [value for name, value in environ.items() if named.search(name) and len(value) >= 8]


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting but is none, such as a mistyped one."""
    known = {f"SCENARIST_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    found = []
    for name in sorted(environ):
        if name.startswith("SCENARIST_") and name not in known:
            close = difflib.get_close_matches(name, known, 1, 0.8)
            meant = (
                f" Did you mean {close[0]}?"
                if close
                else " Variables with your own secrets need another name."
            )
            found.append(f"{name} is not a setting of Scenarist and has no effect.{meant}")
    return found
