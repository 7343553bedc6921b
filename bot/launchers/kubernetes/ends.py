"""Find out why a Job cannot do its phases, from its status and its pod's.

The reasons are those of Kubernetes: https://kubernetes.io/docs/concepts/workloads/controllers/job/ for Jobs,
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/ for evicted pods.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.launchers.kubernetes.manifest import CONTAINER, Manifest
from bot.launchers.launcher import LaunchFailure
from gherkin.errors import ScenaristError

# How often a phase is repeated.
_OFTEN, _SOMETIMES, _ONCE, _NEVER = 12, 3, 1, 0
_IMAGE = {"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
_NODE_GONE = {"DeletionByTaintManager", "DeletionByPodGC", "NodeLost", "Terminated"}
_CODE = re.compile(r"\bSCN-\d{4}\b")


class PodEvicted(ScenaristError):
    """The pod of a run was evicted or preempted."""

    code = "SCN-6203"
    next_step = (
        "Nothing to do: another pod continues the run. If this goes on, look at the node's memory and disk, "
        "and at `state_size` and `limits` in the values file."
    )


class PodOutOfMemory(ScenaristError):
    """The pod of a run used more memory than its limit."""

    code = "SCN-6204"
    next_step = (
        "Raise `limits.memory` in the values file, or lower SCENARIST_COMMAND_MEMORY_MB; then `scenarist "
        "retry`."
    )


class JobTooLong(ScenaristError):
    """The Job of a run worked for longer than its deadline."""

    code = "SCN-6205"
    next_step = "Raise `deadline_seconds` in the values file, then `scenarist retry`."


class ImageMissing(ScenaristError):
    """The image of the runs' pods cannot be pulled."""

    code = "SCN-6206"
    next_step = "Correct `image` or `image_pull_secrets` in the values file; the phase is repeated then."


class PodGone(ScenaristError):
    """The pod of a run was deleted, or its node is gone."""

    code = "SCN-6207"
    next_step = "Nothing to do: another pod continues the run."


class PodNotStarted(ScenaristError):
    """The pod of a run does not start."""

    code = "SCN-6208"
    next_step = (
        "`kubectl describe` of the Job and its pod says more: free nodes, quotas, Secrets and ConfigMaps of "
        "the values file. The phase is repeated automatically."
    )


class WorkerFailed(ScenaristError):
    """The worker in the pod of a run ended with an error of its own."""

    code = "SCN-6209"
    next_step = (
        "See the worker's last lines in the dispatcher's log, and correct the settings in the values file."
    )


def failure_of(
    job: Manifest, pods: Sequence[Manifest], now: float, start_seconds: float
) -> LaunchFailure | None:
    """Return why `job` cannot do its phases, or None if nothing speaks against it.

    `pods` are its pods, `now` is in seconds since the epoch. A pod that has not started after `start_seconds`
    has failed.
    """
    name = job["metadata"]["name"]
    pod = max(pods, key=lambda each: str(each["metadata"].get("creationTimestamp", "")), default=None)
    failed = _condition(job, "Failed")
    if failed is not None:
        if failed.get("reason") == "DeadlineExceeded":
            hours = job["spec"].get("activeDeadlineSeconds", 0) / 3600
            return LaunchFailure(JobTooLong(f"The Job {name} worked for {hours:.3g} hours."), _NEVER)
        return _of_failed(pod, name)
    if has_ended(job):
        return None
    waited_s = now - _seconds(job["metadata"]["creationTimestamp"])
    if pod is None:
        if waited_s <= start_seconds:
            return None
        return LaunchFailure(PodNotStarted(f"The Job {name} has no pod after {waited_s:.0f} s."), _OFTEN)
    return _of_waiting(pod, waited_s > start_seconds)


def has_ended(job: Manifest) -> bool:
    """Return whether a Job is complete or has failed."""
    return any(_condition(job, kind) is not None for kind in ("Complete", "Failed"))


def _of_failed(pod: Manifest | None, name: str) -> LaunchFailure:
    if pod is None:
        return LaunchFailure(PodGone(f"The pod of the Job {name} is gone."), _OFTEN)
    pod_name, status = pod["metadata"]["name"], pod.get("status", {})
    disrupted = _condition(pod, "DisruptionTarget") or {}
    reason = str(disrupted.get("reason") or status.get("reason") or "")
    if reason in _NODE_GONE:
        return LaunchFailure(PodGone(f"The node of the pod {pod_name} is gone ({reason})."), _OFTEN)
    terminated = _terminated(pod)
    if terminated.get("reason") == "OOMKilled":
        return LaunchFailure(
            PodOutOfMemory(f"The pod {pod_name} was killed: it used too much memory."), _ONCE
        )
    if reason:
        said = str(status.get("message") or disrupted.get("message") or "").strip().rstrip(".")[:200]
        why = f"{reason}: {said}" if said else reason
        return LaunchFailure(PodEvicted(f"The pod {pod_name} was evicted ({why})."), _OFTEN)
    if "deletionTimestamp" in pod["metadata"] or not terminated:
        return LaunchFailure(PodGone(f"The pod {pod_name} was deleted."), _OFTEN)
    # The worker's last lines may quote anything, so people on the forge see only a code of ours.
    words = str(terminated.get("message", ""))
    code = _CODE.search(words)
    about = f", {code[0]}" if code else ""
    said = f"The worker in the pod {pod_name} ended with the status {terminated.get('exitCode')}{about}."
    return LaunchFailure(WorkerFailed(said), _SOMETIMES, words)


def _of_waiting(pod: Manifest, late: bool) -> LaunchFailure | None:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    waiting = _state(pod).get("waiting") or {}
    reason, said = str(waiting.get("reason", "")), str(waiting.get("message", "")).strip().rstrip(".")[:200]
    why = f"{reason}: {said}" if said else reason
    if reason in _IMAGE:
        return LaunchFailure(ImageMissing(f"The image of the pod {name} cannot be pulled ({why})."), _OFTEN)
    if reason in _CONFIG:
        return LaunchFailure(PodNotStarted(f"The pod {name} does not start ({why})."), _OFTEN)
    if not late or status.get("phase") != "Pending":
        return None
    scheduled = next((each for each in _conditions(pod) if each.get("type") == "PodScheduled"), {})
    if scheduled.get("status") == "False":
        said = str(scheduled.get("message", "")).strip().rstrip(".")[:200]
        return LaunchFailure(PodNotStarted(f"No node takes the pod {name}: {said}."), _OFTEN)
    return LaunchFailure(PodNotStarted(f"The pod {name} has not started in time."), _OFTEN)


def _conditions(thing: Manifest) -> list[dict[str, Any]]:
    return list(thing.get("status", {}).get("conditions") or [])


def _condition(thing: Manifest, kind: str) -> dict[str, Any] | None:
    """Return the condition of that kind if it is true."""
    return next(
        (each for each in _conditions(thing) if each.get("type") == kind and each.get("status") == "True"),
        None,
    )


def _state(pod: Manifest) -> dict[str, Any]:
    for each in pod.get("status", {}).get("containerStatuses") or []:
        if each.get("name") == CONTAINER:
            return dict(each.get("state") or {})
    return {}


def _terminated(pod: Manifest) -> dict[str, Any]:
    return dict(_state(pod).get("terminated") or {})


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
