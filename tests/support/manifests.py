"""Render the manifests in `deploy/` with the real helm and kubectl, and check them against Kubernetes' own schemas.

There is no cluster here: what an API server checks beyond its schemas is not checked.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.standins.npm import KUBERNETES

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "scenarist"
KUSTOMIZE = ROOT / "deploy" / "kustomize"
# The oldest version that the chart supports, and the newest with a schema here.
VERSIONS = ("1.33.0", "1.37.0")
# Kinds of KEDA, whose schemas are in no package.
FOREIGN = ("keda.sh/v1alpha1",)

Manifest = dict[str, Any]


def helm(*words: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm with `values` as a values file; returns what it said, also when it failed."""
    given = [] if values is None else ["--values", "-"]
    return _run([str(KUBERNETES.unpacked / "helm" / "helm"), *words, *given], yaml.safe_dump(values or {}))


def rendered(values: Mapping[str, Any] | None = None, *words: str) -> list[Manifest]:
    """Return the manifests of a release named `scenarist`. Raises `AssertionError` with helm's words."""
    done = helm("template", "scenarist", str(CHART), *words, values=values or {})
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def kustomized(folder: Path) -> list[Manifest]:
    """Return the manifests of a kustomization. Raises `AssertionError` with kubectl's words."""
    done = _run([str(KUBERNETES.unpacked / "kubectl" / "kubectl"), "kustomize", str(folder)], "")
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def documents(text: str) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(text) if each]


def problems(manifest: Manifest, version: str) -> str | None:
    """Return what Kubernetes' schema says against `manifest`, unknown fields included, or None."""
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{manifest['kind']} {manifest['metadata']['name']}: {error.message}"
    return None


def pods(manifests: list[Manifest]) -> dict[str, tuple[dict[str, str], Manifest]]:
    """Return labels and spec of the pods that Deployments, Jobs and ScaledJobs make, by the component."""
    found = {}
    for each in manifests:
        if each["kind"] in ("Deployment", "Job", "ScaledJob"):
            spec = each["spec"]
            template = spec.get("jobTargetRef", spec)["template"]
            labels = template["metadata"]["labels"]
            found[labels["app.kubernetes.io/component"]] = (labels, template["spec"])
    return found


def _run(words: list[str], text: str) -> subprocess.CompletedProcess[str]:
    # Neither may find a cluster, or files of whoever runs the tests.
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": "/nonexistent"}
    return subprocess.run(
        words, input=text, capture_output=True, text=True, check=False, env=environ, timeout=120
    )
