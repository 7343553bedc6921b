"""Settings that are refused, and what the others become."""

import pytest

from bot.config.settings import SettingsInvalid, load_settings


def test_variables_for_tests_are_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENARIST_PASS_ENV", "REGION=eu, MONKEY=1,URL=https://example.org/?a=b")
    found = load_settings().passed_variables
    assert found == {"REGION": "eu", "MONKEY": "1", "URL": "https://example.org/?a=b"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("REGION", "NAME=VALUE"),
        ("SHOP_API_KEY=x", "looks like a secret"),
        ("GITHUB_TOKEN=x", "looks like a secret"),
        ("SCENARIST_STATE_DIR=x", "looks like a secret"),
        ("DATABASE_URL=postgres://ada:hidden@db/shop", "looks like a secret"),
    ],
)
def test_no_secret_is_given_to_tests(monkeypatch: pytest.MonkeyPatch, given: str, told: str) -> None:
    monkeypatch.setenv("SCENARIST_PASS_ENV", given)
    with pytest.raises(SettingsInvalid, match=told) as refused:
        load_settings()
    assert "hidden" not in str(refused.value)
