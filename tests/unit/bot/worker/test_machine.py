"""What `scenarist up` makes for its processes."""

from pathlib import Path

from bot.worker.machine import CREDENTIALS, operator_token


def test_the_operators_token_is_made_once_and_for_this_account_alone(tmp_path: Path) -> None:
    file = tmp_path / "operator-token"
    token = operator_token(file)
    assert len(token) >= 32 and operator_token(file) == token
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_runner_sees_no_secret_of_the_pages() -> None:
    secrets = {"CONTROL_TOKEN", "SESSION_SECRET", "GITHUB_CLIENT_SECRET", "GITLAB_CLIENT_SECRET"}
    assert {f"SCENARIST_{name}" for name in secrets} <= set(CREDENTIALS)
