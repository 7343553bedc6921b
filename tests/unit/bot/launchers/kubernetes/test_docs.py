"""The manifests and values in docs/kubernetes-jobs.md can be applied as they stand."""

import re
from pathlib import Path

import kubernetes_validate
import yaml

from bot.launchers.kubernetes.values import JobValues, load_values
from tests.standins.kubernetes_api import RIGHTS

PAGE = (Path(__file__).parents[5] / "docs" / "kubernetes-jobs.md").read_text()
BLOCK = re.search(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
MANIFESTS = list(yaml.safe_load_all(BLOCK[1] if BLOCK else ""))


def test_kubernetes_takes_the_manifests() -> None:
    assert len(MANIFESTS) == 7
    for each in MANIFESTS:
        kubernetes_validate.validate(each, "1.33.0", strict=True)


def test_the_role_allows_what_the_dispatcher_does_and_no_more() -> None:
    (role,) = (each for each in MANIFESTS if each["kind"] == "Role")
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert allowed == RIGHTS
    assert role["metadata"]["namespace"] == "scenarist-runs"
    (policy,) = (each for each in MANIFESTS if each["kind"] == "NetworkPolicy")
    assert (policy["metadata"]["namespace"], policy["spec"]["podSelector"]) == ("scenarist-runs", {})


def test_the_values_can_be_read_and_refer_to_what_is_there(tmp_path: Path) -> None:
    named = {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == "ConfigMap"}
    maps = {name: each["data"] for name, each in named.items()}
    file = tmp_path / "kubernetes.yaml"
    file.write_text(maps["scenarist-dispatcher"]["kubernetes.yaml"])
    values = load_values(file)
    where = {named[name]["metadata"]["namespace"] for name in values.config_maps}
    assert where == {values.namespace} == {"scenarist-runs"}
    made = f"kubectl --namespace {values.namespace} create secret generic scenarist "
    for source in values.secrets.values():
        assert f"{made}" in PAGE and f"--from-literal={source.key}=" in PAGE
    rest = values.model_copy(update={"config_maps": (), "secrets": {}, "namespace": ""})
    assert rest == JobValues(image=values.image)
