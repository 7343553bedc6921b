"""The checks of `scenarist doctor` on the Kubernetes cluster in which runs are done."""

from bot.config.settings import Settings
from bot.launchers.kubernetes.api import Api, own_namespace
from bot.launchers.kubernetes.manifest import job_manifest, selector
from bot.launchers.kubernetes.values import JobValues, load_values
from bot.launchers.launcher import LaunchRefused
from bot.remote.tokens import Signer
from bot.storage.launches import Launch, WaitingRun
from bot.telemetry.health import CheckResult

NAME = "Kubernetes"
_RIGHTS = (
    *(("batch", "jobs", verb) for verb in ("create", "list", "watch", "delete")),
    ("", "pods", "list"),
)
# A run that cannot be: its Job is only tried, not made.
_NO_RUN = WaitingRun(launch=Launch(run_id="0" * 26, fence=0), forge="local", repo="-", phase="specify")


def check_cluster(settings: Settings) -> CheckResult:
    """Check the values file, the API server, the dispatcher's rights, and whether a Job would be accepted.

    Changes nothing. Raises `ValuesInvalid`, `SecretTooShort` and `LauncherUnavailable`.
    """
    if settings.kubernetes_file is None:
        said = "SCENARIST_KUBERNETES_FILE is not set, so this machine launches no runs."
        return CheckResult(NAME, "warning", said, "Set it where `scenarist dispatch` works.")
    values = load_values(settings.kubernetes_file)
    if values.web_url:
        Signer(settings.runner_secret.get_secret_value())
    api = Api(values, selector(values))
    missing = [
        f"{verb} {resource}{f' ({why})' if why else ''}"
        for group, resource, verb in _RIGHTS
        if (why := api.may(verb, resource, group))
    ]
    if missing:
        todo = "Give its service account a Role for that; docs/kubernetes-jobs.md has one."
        said = f"In the namespace {api.namespace} the dispatcher may not: {', '.join(missing)}."
        return CheckResult(NAME, "failed", said, todo)
    try:
        api.create_job(job_manifest(values, _NO_RUN), dry_run=True)
    except LaunchRefused as error:
        return CheckResult(
            NAME, "failed", error.message, "Correct the values file, or the cluster's policies."
        )
    return _accepted(values, api)


def _accepted(values: JobValues, api: Api) -> CheckResult:
    said = f"{api.url} accepts Jobs in the namespace {api.namespace}."
    if api.namespace == own_namespace():
        todo = "Set `namespace` in the values file to one that holds the runner's Secrets alone."
        return CheckResult(
            NAME,
            "warning",
            f"{said} It is the dispatcher's own, and a Job can mount each Secret there.",
            todo,
        )
    if values.sandbox == "pod":
        todo = "Set `sandbox: bubblewrap` where the nodes have user namespaces."
        return CheckResult(
            NAME, "warning", f"{said} Commands have no sandbox but the pod; each pull request says so.", todo
        )
    return CheckResult(NAME, "ok", said)
