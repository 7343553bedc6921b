"""The bill of materials of an image."""

import json
from datetime import UTC, datetime
from importlib.metadata import distributions

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
    assert found["pydantic-settings"]["purl"].startswith("pkg:pypi/pydantic-settings@")  # type: ignore[attr-defined]
    assert found["pytest"]["licenses"] == [{"expression": "MIT"}]


def test_the_document_says_what_it_is_about() -> None:
    made = bill("scenarist-bot:1", debian_packages(STATUS, "debian-12"), datetime(2026, 1, 1, tzinfo=UTC))
    text = json.loads(json.dumps(made))
    assert (text["bomFormat"], text["specVersion"]) == ("CycloneDX", "1.6")
    assert text["metadata"]["component"]["name"] == "scenarist-bot:1"
    assert [each["name"] for each in text["components"]] == ["git"]
