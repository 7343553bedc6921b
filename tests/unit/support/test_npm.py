"""The packages from npm's registry are had by the set-up, within a time limit.

A test never waits for the registry.
"""

import socket
from pathlib import Path

import pytest

from tests.standins import npm
from tests.standins.npm import NotFetched, Package, fetch

PACKAGE = Package("a-package-of-nobody", "1.0.0")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(npm, "_CACHE", tmp_path / "npm")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    return tmp_path / "npm"


def test_a_registry_that_hangs_is_given_up_with_one_sentence(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(NotFetched) as given_up:
            fetch((PACKAGE,), 1)
    assert str(given_up.value) == "npm's a-package-of-nobody@1.0.0 cannot be had: no end within 1 s."


def test_a_registry_that_is_away_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{closed_port}/")
    with pytest.raises(NotFetched, match=r"^npm's a-package-of-nobody@1\.0\.0 cannot be had: .*ECONNREFUSED"):
        fetch((PACKAGE,))


def test_a_test_that_needs_what_was_not_fetched_says_so_at_once(cache: Path) -> None:
    with pytest.raises(NotFetched, match="`sh scripts/bootstrap.sh tests` fetches it, or says why not"):
        _ = PACKAGE.folder


def test_what_is_there_is_not_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PACKAGE.home.mkdir(parents=True)
    (PACKAGE.home / "done").touch()
    monkeypatch.setattr(npm, "node_bin", lambda: pytest.fail("npm is not asked"))
    fetch((PACKAGE,))
    assert PACKAGE.folder == PACKAGE.home / "node_modules" / PACKAGE.name
