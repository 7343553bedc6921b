"""Print what is installed on this system as a bill of materials (CycloneDX 1.6, JSON).

It runs inside an image, with that image's own Python and nothing else:
`docker run --rm -i --network none --entrypoint python IMAGE - <scripts/sbom.py`

https://cyclonedx.org/docs/1.6/json/, https://github.com/package-url/purl-spec
"""

import json
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import quote

STATUS = Path("/var/lib/dpkg/status")
RELEASE = Path("/etc/os-release")


def debian_packages(status: str, distro: str) -> list[dict[str, object]]:
    """Return the components for the installed packages in the text of dpkg's status file."""
    found = []
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][A-Za-z-]*): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = (
                f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}&distro={distro}"
            )
            found.append({"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl})
    return found


def python_packages(known: list[Distribution]) -> list[dict[str, object]]:
    """Return the components for installed Python distributions, with the licence that each one states."""
    found = {}
    for each in known:
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
        purl = f"pkg:pypi/{name}@{quote(each.version)}"
        part: dict[str, object] = {
            "type": "library",
            "name": name,
            "version": each.version,
            "purl": purl,
            "bom-ref": purl,
        }
        expression = each.metadata.get("License-Expression")
        if expression:
            part["licenses"] = [{"expression": expression}]
        found[purl] = part
    return list(found.values())


def bill(name: str, components: list[dict[str, object]], now: datetime) -> dict[str, object]:
    """Return the whole document for the system `name`."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": now.isoformat(timespec="seconds"),
            "component": {"type": "container", "name": name, "bom-ref": name},
        },
        "components": sorted(components, key=lambda each: str(each["purl"])),
    }


def main() -> None:
    """Print the bill of this system; the first argument is its name."""
    release = dict(
        line.split("=", 1) for line in RELEASE.read_text(encoding="utf-8").splitlines() if "=" in line
    )
    distro = f"{release['ID']}-{release.get('VERSION_ID', '')}".replace('"', "")
    name = sys.argv[1] if len(sys.argv) > 1 else "scenarist"
    debian = debian_packages(STATUS.read_text(encoding="utf-8"), distro)
    found = [*debian, *python_packages(list(distributions()))]
    json.dump(bill(name, found, datetime.now(UTC)), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
