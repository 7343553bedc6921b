"""docs/kubernetes.md, followed as far as that goes without a cluster: its commands, values and names fit together."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.launchers.kubernetes.values import JobValues
from tests.standins.npm import KUBERNETES
from tests.support.manifests import ROOT, Manifest, documents, helm, pods, rendered

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
COMMANDS = re.findall(r"^    ((?:kubectl|helm|docker) .*)$", PAGE, re.MULTILINE)
BLOCKS = [yaml.safe_load(each) for each in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
MY, *_ = BLOCKS


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """What the page's `kubectl create` commands make, by the real kubectl, which sends nothing."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "github-app.pem").write_text("a key")
    kubectl = str(KUBERNETES.unpacked / "kubectl")
    env = {"PATH": f"{kubectl}:{os.environ['PATH']}", "HOME": str(folder), "SECRET": "a word"}
    env["KUBECONFIG"] = "/nonexistent"
    dry = [f"{each} --dry-run=client --output yaml" for each in COMMANDS if " create " in each]
    done = subprocess.run(
        ["bash", "-eu", "-c", "\necho ---\n".join(dry)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def keys(created: list[Manifest], namespace: str | None) -> set[tuple[str, str]]:
    """The Secrets of a namespace, with each of their keys; None is the release's."""
    found = [each for each in created if each["kind"] == "Secret"]
    return {
        (each["metadata"]["name"], key)
        for each in found
        if each["metadata"].get("namespace") == namespace
        for key in each["data"]
    }


def wanted(manifests: list[Manifest]) -> set[tuple[str, str]]:
    """The keys of Secrets that the pods of the release need."""
    found = set()
    for _, pod in pods(manifests).values():
        for each in pod["containers"][0].get("env", []):
            if "valueFrom" in each:
                source = each["valueFrom"]["secretKeyRef"]
                found.add((source["name"], source["key"]))
        for volume in pod["volumes"]:
            for item in volume.get("secret", {}).get("items", []):
                found.add((volume["secret"]["secretName"], item["key"]))
    return found


def test_the_secrets_that_the_page_makes_are_those_that_the_installation_needs(
    created: list[Manifest],
) -> None:
    assert keys(created, None) == wanted(rendered(MY))


def test_the_secrets_of_the_namespace_of_runs_are_those_that_its_jobs_need(created: list[Manifest]) -> None:
    jobs: dict[str, Any] = {**MY, "runner": {**MY["runner"], "kind": "kubernetes"}}
    found = rendered(jobs, "--namespace", "scenarist")
    [config] = [each for each in found if each["kind"] == "ConfigMap"]
    values = JobValues.model_validate(yaml.safe_load(config["data"]["kubernetes.yaml"]))
    assert values.namespace in {each["metadata"]["name"] for each in created if each["kind"] == "Namespace"}
    needed = {(source.name, source.key) for source in values.secrets.values()}
    assert keys(created, values.namespace) == needed


@pytest.mark.parametrize("values", BLOCKS)
def test_the_chart_takes_all_values_of_the_page(values: dict[str, Any]) -> None:
    assert rendered(values)


def test_helm_is_called_as_the_page_says(tmp_path: Path) -> None:
    [install] = [each.split() for each in COMMANDS if each.startswith("helm ")]
    assert install[:4] == ["helm", "upgrade", "--install", "scenarist"] and install[-2:] == [
        "--values",
        "my.yaml",
    ]
    assert (ROOT / install[4] / "Chart.yaml").exists()
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(MY))
    done = helm("template", *install[3:4], str(ROOT / install[4]), "--values", str(tmp_path / "my.yaml"))
    assert done.returncode == 0, done.stderr


def test_the_images_that_the_page_builds_are_targets_and_the_chart_uses_them() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    built = [each.split() for each in COMMANDS if each.startswith("docker build")]
    assert {each[3] for each in built} == {"bot", "runner"} <= targets
    used = {pod["containers"][0]["image"] for _, pod in pods(rendered(MY)).values()}
    assert {each[5] for each in built} <= used


def test_every_folder_and_script_of_the_page_is_there() -> None:
    named = re.findall(r"(?<![\w.])((?:deploy|scripts)/[\w./-]+)", PAGE)
    assert len(set(named)) >= 5
    assert [each for each in set(named) if not (ROOT / each.rstrip(".")).exists()] == []
