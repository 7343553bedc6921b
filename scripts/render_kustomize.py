"""Write `deploy/kustomize/base` from the Helm chart with its defaults, so that there is one truth.

python -m scripts.render_kustomize [--check]
"""

import re
import sys

from tests.support.manifests import CHART, KUSTOMIZE, helm

_BASE = KUSTOMIZE / "base"
_HEAD = "# Written by scripts/render_kustomize.py from deploy/helm/scenarist. Change it there.\n"
# They concern helm alone.
_HOOK = re.compile(r"^  annotations:\n(    helm\.sh/.*\n)+", re.MULTILINE)


def files() -> dict[str, str]:
    """Return the text of each file of the base by its name. Raises `RuntimeError` with helm's words."""
    done = helm("template", "scenarist", str(CHART), values={})
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, str] = {}
    for part in done.stdout.split("---\n# Source: scenarist/templates/")[1:]:
        name, _, text = part.partition("\n")
        text = _HOOK.sub("", text.strip("\n")) + "\n"
        found[name] = f"{found[name]}---\n{text}" if name in found else _HEAD + text
    resources = "".join(f"  - {name}\n" for name in sorted(found))
    head = f"{_HEAD}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return {**found, "kustomization.yaml": f"{head}resources:\n{resources}"}


def main() -> int:
    """Write the files, or say with `--check` which are out of date (then 1)."""
    wanted = files()
    there = {each.name: each.read_text() for each in _BASE.glob("*.yaml")}
    if wanted == there:
        return 0
    if "--check" in sys.argv[1:]:
        old = sorted(name for name in wanted | there if wanted.get(name) != there.get(name))
        print(f"Out of date in deploy/kustomize/base: {', '.join(old)}.", file=sys.stderr)
        return 1
    for name in there.keys() - wanted.keys():
        (_BASE / name).unlink()
    for name, text in wanted.items():
        (_BASE / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
