"""The kustomization: what the chart says, without helm."""

import pytest

from scripts import render_kustomize
from tests.support.manifests import KUSTOMIZE, VERSIONS, kustomized, pods, problems, rendered


def test_the_base_is_what_the_chart_says() -> None:
    there = {each.name: each.read_text() for each in (KUSTOMIZE / "base").glob("*.yaml")}
    assert there == render_kustomize.files(), "run python -m scripts.render_kustomize"


def test_the_base_has_everything_that_the_chart_has() -> None:
    base, chart = kustomized(KUSTOMIZE / "base"), rendered()
    named = [{(each["kind"], each["metadata"]["name"]) for each in those} for those in (base, chart)]
    assert named[0] == named[1]
    assert "helm.sh" not in str(base)


@pytest.mark.parametrize("folder", ["base", "example"])
def test_every_manifest_is_valid(folder: str) -> None:
    for version in VERSIONS:
        assert [found for each in kustomized(KUSTOMIZE / folder) if (found := problems(each, version))] == []


def test_the_example_changes_what_it_says() -> None:
    found = pods(kustomized(KUSTOMIZE / "example"))
    assert found["runner"][1]["containers"][0]["image"] == "registry.example.com/scenarist-runner:0.1.0"
    env = {each["name"]: each.get("value") for each in found["trusted"][1]["containers"][0]["env"]}
    assert env["SCENARIST_GITHUB_APP_ID"] == "12345"
    assert env["SCENARIST_CARRY_BASE"] == "true"
