"""The manifest of a Job: valid for Kubernetes, confined, and as the values file says."""

from typing import Any

import kubernetes_validate
import pytest

from bot.launchers.kubernetes.manifest import job_manifest, launch_of
from bot.launchers.kubernetes.values import JobValues, ValuesInvalid, load_values
from bot.storage.launches import Launch, WaitingRun
from bot.storage.store import new_id
from tests.standins.kubernetes_cluster import Invalid, check_job

RUN = WaitingRun(launch=Launch(run_id=new_id(), fence=3), forge="github", repo="octo/calc", phase="specify")
ALL: dict[str, Any] = {
    "image": "registry.example.com/runner@sha256:" + "0" * 64,
    "image_pull_secrets": ["registry"],
    "labels": {"team": "tools"},
    "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
    "env": {"SCENARIST_LOG_FORMAT": "json"},
    "secrets": {"SCENARIST_DATABASE_URL": {"name": "database", "key": "url"}},
    "config_maps": ["settings"],
    "runtime_class": "gvisor",
    "seccomp": {"type": "Localhost", "localhost_profile": "profiles/bwrap.json"},
    "gpu": {"count": 2},
    "node_selector": {"pool": "gpu"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "priority_class": "low",
}


def container(**values: Any) -> dict[str, Any]:
    return pod(**values)["containers"][0]


def pod(**values: Any) -> dict[str, Any]:
    given = JobValues.model_validate({"image": "runner", **values})
    return job_manifest(given, RUN)["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", ["1.33.0", "1.37.0"])
@pytest.mark.parametrize("values", [{"image": "runner"}, ALL, {"image": "runner", "sandbox": "pod"}])
def test_kubernetes_takes_the_manifest(values: dict[str, Any], version: str) -> None:
    made = job_manifest(JobValues.model_validate(values), RUN)
    kubernetes_validate.validate(made, version, strict=True)
    check_job(made)
    assert made["metadata"]["name"] == RUN.launch.name and launch_of(made) == RUN.launch


def test_a_wrong_manifest_is_refused_by_the_same_checks() -> None:
    made = job_manifest(JobValues(image="runner"), RUN)
    made["spec"]["backoffLimits"] = 0
    with pytest.raises(Invalid, match="backoffLimits"):
        check_job(made)
    made = job_manifest(JobValues(image="runner"), RUN)
    made["spec"]["template"]["spec"]["hostUsers"] = True
    with pytest.raises(Invalid, match="procMount"):
        check_job(made)


def test_a_pod_has_no_token_no_rights_and_bounds() -> None:
    made, inside = pod(), container()
    assert made["automountServiceAccountToken"] is False and made["enableServiceLinks"] is False
    assert made["hostUsers"] is False and made["securityContext"]["runAsNonRoot"] is True
    security = inside["securityContext"]
    assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert all("sizeLimit" in volume["emptyDir"] for volume in made["volumes"])
    assert {"memory", "ephemeral-storage"} <= set(inside["resources"]["limits"])
    spec = job_manifest(JobValues(image="runner"), RUN)["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 6 * 3600)
    assert spec["ttlSecondsAfterFinished"] == 3600 and len(spec["podFailurePolicy"]["rules"]) == 2


def test_bubblewrap_needs_a_proc_of_its_own_and_a_bare_pod_does_not() -> None:
    with_sandbox, bare = container(), container(sandbox="pod")
    assert with_sandbox["securityContext"]["procMount"] == "Unmasked"
    assert with_sandbox["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    unsafe = {"name": "SCENARIST_UNSAFE_NO_SANDBOX", "value": "true"}
    assert unsafe not in with_sandbox["env"] and unsafe in bare["env"]
    assert "procMount" not in bare["securityContext"]
    assert bare["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_devices_and_runtime_are_as_the_values_say() -> None:
    made, inside = pod(**ALL), container(**ALL)
    assert inside["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert "nvidia.com/gpu" not in container()["resources"]["limits"] and "runtimeClassName" not in pod()
    assert made["runtimeClassName"] == "gvisor"
    assert inside["securityContext"]["seccompProfile"]["localhostProfile"] == "profiles/bwrap.json"
    assert {"name": "SCENARIST_LOG_FORMAT", "value": "json"} in inside["env"]
    assert "password" not in str(made)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "image is missing"),
        ("image: x\nhost_users: true\n", "`host_users: false`"),
        ("image: x\nseccomp: {type: Localhost}\n", "localhost_profile"),
        ("image: x\nimages: y\n", "line 2"),
        ("image: x\ndeployment: Two Words\n", "deployment"),
    ],
)
def test_a_wrong_values_file_is_refused_with_its_key(text: str, said: str, tmp_path: Any) -> None:
    file = tmp_path / "kubernetes.yaml"
    file.write_text(text)
    with pytest.raises(ValuesInvalid) as refused:
        load_values(file)
    assert said in refused.value.message, refused.value.message


def test_no_values_file_is_refused() -> None:
    with pytest.raises(ValuesInvalid, match="SCENARIST_KUBERNETES_FILE is not set"):
        load_values(None)


def test_a_pod_that_works_through_the_web_app_gets_a_token_and_no_other_secret() -> None:
    values = JobValues(image="runner", web_url="http://scenarist-web.bot.svc")
    made = job_manifest(values, RUN, "the-token")
    check_job(made)
    held = made["spec"]["template"]["spec"]["containers"][0]
    assert held["args"][-2:] == ["--web", "http://scenarist-web.bot.svc"]
    assert {"name": "SCENARIST_RUN_TOKEN", "value": "the-token"} in held["env"]
    assert not [each for each in held["env"] if "valueFrom" in each]
    without = container()
    assert "--web" not in without["args"] and "SCENARIST_RUN_TOKEN" not in str(without["env"])
