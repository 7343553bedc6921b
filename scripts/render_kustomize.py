"""Write `deploy/kustomize/base` and `jobs` from the Helm chart, so that there is one truth.

python -m scripts.render_kustomize [--check]
"""

import re
import sys
from collections.abc import Mapping
from typing import Any

from tests.support.manifests import CHART, KUSTOMIZE, helm

_HEAD = "# Written by scripts/render_kustomize.py from deploy/helm/scenarist. Change it there.\n"
# They concern helm alone.
_HOOK = re.compile(r"^  annotations:\n(    helm\.sh/.*\n)+", re.MULTILINE)
_NAMESPACE = "scenarist"
# `namespace:` in a kustomization would also move what belongs into the namespace of the runs.
_ONE_OF_TWO = f"""transformers:
  - |-
    apiVersion: builtin
    kind: NamespaceTransformer
    metadata: {{name: namespace, namespace: {_NAMESPACE}}}
    setRoleBindingSubjects: none
    unsetOnly: true
"""
# The folders: the chart's values, and what their kustomization says beside its resources.
_FOLDERS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "base": ({}, ""),
    "jobs": ({"runner": {"kind": "kubernetes"}}, _ONE_OF_TWO),
}


def files(folder: str) -> dict[str, str]:
    """Return the text of each file of `base` or `jobs` by its name. Raises `RuntimeError` with helm's words."""
    values, more = _FOLDERS[folder]
    done = helm("template", "scenarist", str(CHART), "--namespace", _NAMESPACE, values=values)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, str] = {}
    for part in done.stdout.split("---\n# Source: scenarist/templates/")[1:]:
        name, _, text = part.partition("\n")
        text = _HOOK.sub("", text.strip("\n")) + "\n"
        found[name] = f"{found[name]}---\n{text}" if name in found else _HEAD + text
    resources = "".join(f"  - {name}\n" for name in sorted(found))
    head = f"{_HEAD}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return {**found, "kustomization.yaml": f"{head}resources:\n{resources}{more}"}


def main() -> int:
    """Write the files, or say with `--check` which are out of date (then 1)."""
    rest = [_brought_up_to_date(folder, write="--check" not in sys.argv[1:]) for folder in _FOLDERS]
    return 0 if all(rest) else 1


def _brought_up_to_date(folder: str, *, write: bool) -> bool:
    """Compare a folder with the chart, and correct it if `write`; returns whether it is right now."""
    wanted, base = files(folder), KUSTOMIZE / folder
    there = {each.name: each.read_text() for each in base.glob("*.yaml")}
    if wanted == there:
        return True
    if not write:
        old = sorted(name for name in wanted | there if wanted.get(name) != there.get(name))
        print(f"Out of date in {base}: {', '.join(old)}.", file=sys.stderr)
        return False
    base.mkdir(exist_ok=True)
    for name in there.keys() - wanted.keys():
        (base / name).unlink()
    for name, text in wanted.items():
        (base / name).write_text(text)
    return True


if __name__ == "__main__":
    sys.exit(main())
