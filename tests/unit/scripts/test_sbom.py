"""The bill of materials of an image."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import distributions

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import sbom
from scripts.sbom import bill, debian_packages, python_packages

STATUS = """Package: git
Status: install ok installed
Architecture: amd64
Version: 1:2.39.5-0+deb12u2
Description: fast
 and more

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0
"""


def test_installed_packages_of_debian_are_parts_and_removed_ones_are_not() -> None:
    [git] = debian_packages(STATUS, "debian-12")
    assert git["purl"] == "pkg:deb/debian/git@1%3A2.39.5-0%2Bdeb12u2?arch=amd64&distro=debian-12"


def test_each_distribution_is_one_part_with_its_licence() -> None:
    found = {str(each["name"]): each for each in python_packages(list(distributions()))}
    assert found["pydantic-settings"]["purl"].startswith("pkg:pypi/pydantic-settings@")
    assert found["pytest"]["licenses"] == [{"expression": "MIT"}]


def test_the_document_says_what_it_is_about() -> None:
    made = bill("scenarist-bot:1", debian_packages(STATUS, "debian-12"), datetime(2026, 1, 1, tzinfo=UTC))
    text = json.loads(json.dumps(made))
    assert (text["bomFormat"], text["specVersion"]) == ("CycloneDX", "1.6")
    assert text["metadata"]["component"]["name"] == "scenarist-bot:1"
    assert [each["name"] for each in text["components"]] == ["git"]


def schema_finds(text: str) -> str:
    """What CycloneDX's own schema says against a bill; empty if it is valid."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return "" if found is None else str(found.data)


def test_the_bill_of_this_machine_is_valid_by_the_schema_of_cyclonedx() -> None:
    done = subprocess.run(
        [sys.executable, sbom.__file__, "scenarist-bot:1"], capture_output=True, text=True, check=True
    )
    assert schema_finds(done.stdout) == ""
    parts = json.loads(done.stdout)["components"]
    kinds = {str(each["purl"]).partition("/")[0] for each in parts}
    assert kinds == {"pkg:deb", "pkg:pypi"} and len(parts) > 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bomFormat": "SPDX"}, "CycloneDX"),
        ({"components": [{"type": "library"}]}, "name"),
        ({"components": [{"type": "books", "name": "a"}]}, "books"),
    ],
)
def test_the_schema_finds_what_is_wrong(change: dict[str, object], said: str) -> None:
    good = bill("a", [], datetime(2026, 1, 1, tzinfo=UTC))
    assert schema_finds(json.dumps(good)) == ""
    assert said in schema_finds(json.dumps({**good, **change}))
