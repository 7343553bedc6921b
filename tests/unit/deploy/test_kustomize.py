"""The kustomization: what the chart says, without helm."""

from typing import Any

import pytest

from scripts import render_kustomize
from tests.support.manifests import KUSTOMIZE, VERSIONS, kustomized, pods, problems, rendered

FOLDERS: dict[str, dict[str, Any]] = {"base": {}, "jobs": {"runner": {"kind": "kubernetes"}}}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_folders_are_what_the_chart_says(folder: str) -> None:
    there = {each.name: each.read_text() for each in (KUSTOMIZE / folder).glob("*.yaml")}
    assert there == render_kustomize.files(folder), "run python -m scripts.render_kustomize"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_folders_have_everything_that_the_chart_has(folder: str) -> None:
    base, chart = kustomized(KUSTOMIZE / folder), rendered(FOLDERS[folder], "--namespace", "scenarist")
    named = [{(each["kind"], each["metadata"]["name"]) for each in those} for those in (base, chart)]
    assert named[0] == named[1]
    assert "helm.sh" not in str(base)


@pytest.mark.parametrize("folder", ["base", "jobs", "example"])
def test_every_manifest_is_valid(folder: str) -> None:
    for version in VERSIONS:
        assert [found for each in kustomized(KUSTOMIZE / folder) if (found := problems(each, version))] == []


def test_the_example_changes_what_it_says() -> None:
    found = pods(kustomized(KUSTOMIZE / "example"))
    assert found["runner"][1]["containers"][0]["image"] == "registry.example.com/scenarist-runner:0.1.0"
    env = {each["name"]: each.get("value") for each in found["trusted"][1]["containers"][0]["env"]}
    assert env["SCENARIST_GITHUB_APP_ID"] == "12345"
    assert env["SCENARIST_CARRY_BASE"] == "true"


def test_jobs_are_made_in_a_namespace_of_their_own() -> None:
    found = kustomized(KUSTOMIZE / "jobs")
    where = {(each["kind"], each["metadata"]["name"]): each["metadata"].get("namespace") for each in found}
    away = {each for each, namespace in where.items() if namespace == "scenarist-runs"}
    dispatcher = "scenarist-dispatcher"
    assert away == {("Role", dispatcher), ("RoleBinding", dispatcher), ("NetworkPolicy", "scenarist-run")}
    rest = {where[each] for each in where.keys() - away if each[0] != "Namespace"}
    assert rest == {"scenarist"}
    [binding] = [each for each in found if each["kind"] == "RoleBinding"]
    assert binding["subjects"][0]["namespace"] == "scenarist"
