"""Make the manifest of the Job for one launch, and read back what identifies it.

The fields are those of https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/.
"""

from typing import Any

from bot.launchers.kubernetes.values import JobValues
from bot.storage.launches import Launch, WaitingRun

Manifest = dict[str, Any]

CONTAINER = "worker"
STATE = "/var/lib/scenarist"
# The exit status of a command that ended with an error of its own, such as a wrong setting.
_OWN_ERROR = 2
_RUN, _FENCE = "scenarist-run", "scenarist-fence"


def selector(values: JobValues) -> dict[str, str]:
    """Return the labels by which the Jobs and pods of this deployment are found."""
    return {
        "app.kubernetes.io/name": "scenarist",
        "app.kubernetes.io/component": "run",
        "app.kubernetes.io/instance": values.deployment,
    }


def launch_of(job: Manifest) -> Launch | None:
    """Return the launch that a Job is for, or None if its labels do not say it."""
    labels = job["metadata"].get("labels", {})
    run, fence = labels.get(_RUN, ""), labels.get(_FENCE, "")
    return Launch(run_id=run, fence=int(fence)) if run and fence.isdecimal() else None


def job_manifest(values: JobValues, run: WaitingRun, token: str = "") -> Manifest:
    """Return the manifest of the Job that does the next phases of `run`; `token` is for the web app."""
    launch = run.launch
    labels = {**values.labels, **selector(values), _RUN: launch.run_id, _FENCE: str(launch.fence)}
    about = {**values.annotations, "scenarist-repository": f"{run.forge}:{run.repo}"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": launch.name, "labels": labels, "annotations": about},
        "spec": {
            # The database counts how often a phase was begun; a Job is one attempt.
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": values.deadline_seconds,
            "ttlSecondsAfterFinished": values.keep_seconds,
            "podFailurePolicy": {
                "rules": [
                    # No pod is replaced: the fence has changed, so the dispatcher makes a new Job.
                    {
                        "action": "FailJob",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": CONTAINER,
                            "operator": "In",
                            "values": [_OWN_ERROR],
                        },
                    },
                ]
            },
            "template": {
                "metadata": {"labels": labels, "annotations": about},
                "spec": _pod(values, launch, token),
            },
        },
    }


def _pod(values: JobValues, launch: Launch, token: str) -> Manifest:
    pod: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostUsers": values.host_users,
        "terminationGracePeriodSeconds": values.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": values.user,
            "runAsGroup": values.user,
            "fsGroup": values.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(values, launch, token)],
        "volumes": [
            {"name": "state", "emptyDir": {"sizeLimit": values.state_size}},
            {"name": "tmp", "emptyDir": {"sizeLimit": values.tmp_size}},
        ],
    }
    optional = {
        "runtimeClassName": values.runtime_class,
        "priorityClassName": values.priority_class,
        "nodeSelector": values.node_selector,
        "tolerations": list(values.tolerations),
        "imagePullSecrets": [{"name": name} for name in values.image_pull_secrets],
    }
    return {**pod, **{name: value for name, value in optional.items() if value}}


def _container(values: JobValues, launch: Launch, token: str) -> Manifest:
    limits = dict(values.limits)
    if values.gpu.count:
        limits[values.gpu.resource] = str(values.gpu.count)
    security: Manifest = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": _seccomp(values),
    }
    if values.sandbox == "bubblewrap" and not values.host_users:
        # bubblewrap mounts a /proc of its own, which the kernel refuses where parts of /proc are hidden.
        security["procMount"] = "Unmasked"
    web = ["--web", values.web_url] if values.web_url else []
    return {
        "name": CONTAINER,
        "image": values.image,
        "imagePullPolicy": values.image_pull_policy,
        "command": ["scenarist"],
        "args": ["worker", "--once", launch.run_id, "--fence", str(launch.fence), *web],
        "env": _environment(values, token),
        "envFrom": [{"configMapRef": {"name": name}} for name in values.config_maps],
        "resources": {"requests": values.requests, "limits": limits},
        "securityContext": security,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "state", "mountPath": STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }


def _environment(values: JobValues, token: str) -> list[Manifest]:
    own = {"SCENARIST_STATE_DIR": STATE}
    if values.web_url:
        own["SCENARIST_RUN_TOKEN"] = token
    if values.sandbox == "pod":
        own["SCENARIST_UNSAFE_NO_SANDBOX"] = "true"
    plain = [{"name": name, "value": value} for name, value in {**values.env, **own}.items()]
    secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": source.name, "key": source.key}}}
        for name, source in values.secrets.items()
    ]
    return [*plain, *secret]


def _seccomp(values: JobValues) -> Manifest:
    if values.seccomp is None:
        return {"type": "Unconfined" if values.sandbox == "bubblewrap" else "RuntimeDefault"}
    if values.seccomp.type == "Localhost":
        return {"type": "Localhost", "localhostProfile": values.seccomp.localhost_profile}
    return {"type": values.seccomp.type}
