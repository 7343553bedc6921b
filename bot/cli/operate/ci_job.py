"""The job of a forge's CI that `scenarist action` runs in: its event, its token, where its summary goes.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
https://docs.gitlab.com/ci/variables/predefined_variables/
"""

import uuid
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bot.config.settings import Settings
from bot.forges.events import ForgeEvent, Ignored, ReviewCommented
from bot.forges.receiver import PayloadInvalid
from bot.forges.registry.receivers import receivers
from bot.log.state import RunState
from gherkin.errors import ScenaristError

_GITHUB = ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_RUN_ID")
_GITLAB = ("CI_JOB_ID", "CI_SERVER_URL", "CI_PROJECT_PATH", "TRIGGER_PAYLOAD")
# Credentials of a GitLab job that nothing of this process needs.
_UNUSED = ("CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD", "CI_DEPENDENCY_PROXY_PASSWORD", "CI_DEPLOY_PASSWORD")


class NotInAction(ScenaristError):
    """The variables of a job of GitHub Actions or GitLab CI are missing."""

    code = "SCN-7006"
    next_step = (
        "Run it as a step of a workflow, as `.github/workflows/agent.yml` does, with GITHUB_TOKEN in its "
        "env, or as a job like the one in `ci/scenarist.gitlab-ci.yml`, with SCENARIST_GITLAB_TOKEN."
    )


@dataclass(frozen=True)
class CurrentCiJob:
    """One job: the forge that it belongs to, what it has to answer, and an id that no other job has.

    `summary` is the file in which people read its result, if there is one; `url` is the page with the job's
    log, and `outputs` the file for values that later steps or jobs can use.
    """

    forge: str
    settings: Settings
    event: ForgeEvent | Ignored
    id: str
    summary: Path | None = None
    url: str = ""
    outputs: Path | None = None

    def say(self, text: str) -> None:
        """Add to the job's summary, or print where there is none."""
        if self.summary is None:
            print(text)
            return
        with self.summary.open("a", encoding="utf-8") as out:
            out.write(text)

    def give_outputs(self, run_id: str, state: RunState) -> None:
        """Write the run's id, its outcome and its pull request where later steps or jobs can read them.

        https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
        https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
        """
        if self.outputs is None:
            return
        pull = state.published or state.left
        given = {
            "run-id": run_id,
            "outcome": state.status,
            "pull-request": str(pull.pull or "") if pull is not None else "",
            "pull-request-url": pull.url if pull is not None else "",
        }
        if self.forge == "gitlab":
            given = {f"AGENT_{name.upper().replace('-', '_')}": each for name, each in given.items()}
        with self.outputs.open("a", encoding="utf-8") as out:
            out.writelines(f"{name}={value}\n" for name, value in given.items())

    def quote_output(self) -> None:
        """Keep the forge's runner from reading commands in what is printed from now on.

        A model's words are printed, and GitHub's runner obeys lines that begin with `::`.
        """
        if self.forge == "github":
            print(f"::stop-commands::{uuid.uuid4().hex}", flush=True)


def ci_job(settings: Settings, environ: MutableMapping[str, str]) -> CurrentCiJob:
    """Return the job at hand. Raises `NotInAction`.

    Its credentials are taken out of `environ`, so that no child process inherits them.
    """
    return _gitlab(settings, environ) if environ.get("GITLAB_CI") else _github(settings, environ)


def _github(settings: Settings, environ: MutableMapping[str, str]) -> CurrentCiJob:
    token = environ.pop("GITHUB_TOKEN", "") or settings.github_token.get_secret_value()
    for name in ("SCENARIST_GITHUB_TOKEN", "SCENARIST_GITHUB_PRIVATE_KEY"):
        environ.pop(name, None)
    as_app = bool(settings.github_app_id)
    _require(environ, _GITHUB, "GITHUB_TOKEN", given=as_app or bool(token))
    server = environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    own = {
        # An App mints its own tokens, each for one phase.
        "github_token": SecretStr("" if as_app else token),
        "github_api_url": environ.get("GITHUB_API_URL", settings.github_api_url),
        "github_git_url": server,
    }
    event = _read(settings, "github", environ["GITHUB_EVENT_NAME"], environ["GITHUB_EVENT_PATH"])
    if isinstance(event, ReviewCommented) and event.review is not None:
        # Each comment of a review is an event, and a job, of its own; so is the review, which has them all.
        event = Ignored(reason="the comment is part of a review, whose own event is handled")
    summary, outputs = environ.get("GITHUB_STEP_SUMMARY"), environ.get("GITHUB_OUTPUT")
    return CurrentCiJob(
        forge="github",
        settings=_of_job(settings, f"{environ.get('RUNNER_TEMP', '.')}/scenarist", own),
        event=event,
        id=f"{environ['GITHUB_RUN_ID']}-{environ.get('GITHUB_RUN_ATTEMPT', '1')}",
        summary=Path(summary) if summary else None,
        url=f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{environ['GITHUB_RUN_ID']}",
        outputs=Path(outputs) if outputs else None,
    )


def _gitlab(settings: Settings, environ: MutableMapping[str, str]) -> CurrentCiJob:
    """Return a job that a webhook triggered; the payload of the webhook is its event.

    https://docs.gitlab.com/ci/triggers/#use-a-webhook
    """
    token = settings.gitlab_token.get_secret_value()
    for name in ("SCENARIST_GITLAB_TOKEN", *_UNUSED):
        environ.pop(name, None)
    _require(environ, _GITLAB, "SCENARIST_GITLAB_TOKEN", given=bool(token))
    event = _read(settings, "gitlab", "", environ["TRIGGER_PAYLOAD"])
    repo = getattr(event, "repo", None)
    if repo is not None and repo.full_name != environ["CI_PROJECT_PATH"]:
        raise NotInAction(f"The event is about {repo.full_name} and not about {environ['CI_PROJECT_PATH']}.")
    folder = environ.get("CI_PROJECT_DIR", ".")
    return CurrentCiJob(
        forge="gitlab",
        settings=_of_job(settings, f"{folder}/.scenarist-job", {"gitlab_url": environ["CI_SERVER_URL"]}),
        event=event,
        id=environ["CI_JOB_ID"],
        url=environ.get("CI_JOB_URL", ""),
        outputs=Path(folder) / "scenarist.env",
    )


def _require(environ: MutableMapping[str, str], names: tuple[str, ...], secret: str, *, given: bool) -> None:
    missing = [name for name in names if not environ.get(name)] + ([] if given else [secret])
    if missing:
        raise NotInAction(f"{', '.join(missing)} is not set.")


def _read(settings: Settings, forge: str, event: str, path: str) -> ForgeEvent | Ignored:
    try:
        return receivers(settings)[forge].read(event, Path(path).read_bytes())
    except (OSError, PayloadInvalid) as error:
        raise NotInAction(f"The job's event cannot be read: {error}.") from None


def _of_job(settings: Settings, folder: str, own: Mapping[str, object]) -> Settings:
    """Return the job's own addresses and token; its state lies in `folder`."""
    state = {"state_dir": Path(folder), "database_url": "", "public_url": ""}
    return settings.model_copy(update={**own, **state})
