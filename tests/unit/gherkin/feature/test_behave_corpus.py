"""Every feature file of behave's own source distribution is read, printed and read again: `make corpus`
fetches it."""

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

from gherkin.feature.model import FeatureInvalid, parse, render

pytestmark = pytest.mark.slow

_CACHE = Path(__file__).parents[4] / ".cache"


@pytest.fixture(scope="module")
def features() -> list[Path]:
    """behave's feature files, in the version that is installed."""
    name = f"behave-{version('behave')}"
    if not (_CACHE / name).is_dir():
        _CACHE.mkdir(exist_ok=True)
        fetch = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        words = [*fetch, "--dest", str(_CACHE), name.replace("-", "==")]
        subprocess.run([sys.executable, "-m", "pip", *words], check=True)
        with tarfile.open(_CACHE / f"{name}.tar.gz") as archive:
            archive.extractall(_CACHE, filter="data")
    return sorted((_CACHE / name).rglob("*.feature"))


def test_they_come_back_the_same(features: list[Path]) -> None:
    refused = []
    for path in features:
        try:
            feature = parse(path.read_text(errors="replace"), path.name)
        except FeatureInvalid as error:
            refused.append(error.message)
            continue
        assert parse(render(feature), path.name) == feature, path
    print(f"{len(features) - len(refused)} of {len(features)} come back the same; refused: {refused}")
    assert len(features) > 200
    # What would run nothing is refused on purpose: no feature, no scenario, a scenario without steps.
    assert all("there is no" in why or "no steps" in why or "no scenario" in why for why in refused), refused
    assert len(refused) < 10
