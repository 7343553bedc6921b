"""Each way in which a Job can end badly, as its and its pod's status show it, has a stable code."""

from typing import Any

import pytest

from bot.launchers.kubernetes.ends import failure_of, has_ended

MADE = "2026-11-28T10:00:00Z"
NOW = 1795860000.0  # that moment


def job(*conditions: tuple[str, str]) -> dict[str, Any]:
    marks = [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]
    return {
        "metadata": {"name": "scenarist-run-x-1", "creationTimestamp": MADE},
        "spec": {"activeDeadlineSeconds": 5400},
        "status": {"conditions": marks},
    }


def pod(state: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "metadata": {"name": "p", "creationTimestamp": MADE},
        "status": {"phase": "Pending"},
    }
    if state is not None:
        made["status"]["containerStatuses"] = [{"name": "worker", "state": state}]
    made["metadata"] |= more.pop("metadata", {})
    made["status"] |= more
    return made


def disrupted(reason: str) -> list[dict[str, str]]:
    return [{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "said."}]


FAILED = ("Failed", "BackoffLimitExceeded")
KILLED = {"terminated": {"exitCode": 137, "reason": "Error"}}


@pytest.mark.parametrize(
    ("conditions", "pods", "code", "said"),
    [
        ([("Failed", "DeadlineExceeded")], [], "SCN-6205", "1.5 hours"),
        ([FAILED], [], "SCN-6207", "is gone"),
        ([FAILED], [pod(KILLED, metadata={"deletionTimestamp": MADE})], "SCN-6207", "was deleted"),
        ([FAILED], [pod(KILLED, conditions=disrupted("DeletionByTaintManager"))], "SCN-6207", "node"),
        ([FAILED], [pod(KILLED, conditions=disrupted("PreemptionByScheduler"))], "SCN-6203", "said)"),
        (
            [FAILED],
            [
                pod(
                    KILLED,
                    reason="Evicted",
                    message='Usage of EmptyDir volume "state" exceeds the limit "40Gi". ',
                )
            ],
            "SCN-6203",
            'exceeds the limit "40Gi")',
        ),
        ([FAILED], [pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})], "SCN-6204", "memory"),
        (
            [FAILED],
            [pod({"terminated": {"exitCode": 2, "message": "SCN-7001: x is y. secret"}})],
            "SCN-6209",
            "the status 2, SCN-7001.",
        ),
        ([FAILED], [pod({"terminated": {"exitCode": 1}})], "SCN-6209", "the status 1."),
        (
            [],
            [pod({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off."}})],
            "SCN-6206",
            "Back-off)",
        ),
        ([], [pod({"waiting": {"reason": "InvalidImageName"}})], "SCN-6206", "InvalidImageName"),
        (
            [],
            [pod({"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}})],
            "SCN-6208",
            "no",
        ),
    ],
)
def test_a_failure_has_its_code(
    conditions: list[tuple[str, str]], pods: list[dict[str, Any]], code: str, said: str
) -> None:
    found = failure_of(job(*conditions), pods, NOW, 600)
    assert found is not None and found.error.code == code
    assert said in found.error.message and "secret" not in found.error.message.replace("no secret", "")
    assert has_ended(job(*conditions)) == bool(conditions)


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pod({"waiting": {"reason": "ContainerCreating"}})],
        [pod({"waiting": {"reason": "ErrImagePull"}})],
        [pod({"running": {}}, phase="Running")],
    ],
)
def test_a_job_that_may_still_work_has_not_failed(pods: list[dict[str, Any]]) -> None:
    assert failure_of(job(), pods, NOW + 599, 600) is None
    assert failure_of(job(("Complete", "")), pods, NOW + 9999, 600) is None


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], "has no pod after 601 s"),
        ([pod({"waiting": {"reason": "ErrImagePull"}})], "not started in time"),
        (
            [
                pod(
                    conditions=[
                        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available."}
                    ]
                )
            ],
            "No node takes the pod p: 0/3 nodes are available.",
        ),
    ],
)
def test_a_pod_has_a_time_to_start(pods: list[dict[str, Any]], said: str) -> None:
    found = failure_of(job(), pods, NOW + 601, 600)
    assert found is not None and found.error.code == "SCN-6208" and said in found.error.message


def test_a_pod_that_runs_is_not_late() -> None:
    assert failure_of(job(), [pod({"running": {}}, phase="Running")], NOW + 9999, 600) is None


def test_the_newest_pod_counts() -> None:
    old = pod({"terminated": {"exitCode": 1}}, metadata={"creationTimestamp": "2026-11-28T09:00:00Z"})
    new = pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    found = failure_of(job(FAILED), [new, old], NOW, 600)
    assert found is not None and found.error.code == "SCN-6204"
