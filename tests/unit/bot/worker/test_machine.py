"""What `scenarist up` makes for its processes."""

from pathlib import Path

from pydantic import SecretStr

from bot.config.settings import Settings
from bot.worker.machine import CREDENTIALS, MODEL_KEYS, operator_token


def test_the_operators_token_is_made_once_and_for_this_account_alone(tmp_path: Path) -> None:
    file = tmp_path / "operator-token"
    token = operator_token(file)
    assert len(token) >= 32 and operator_token(file) == token
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_runner_sees_no_secret_but_the_models_keys() -> None:
    secrets = {
        f"SCENARIST_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if field.annotation is SecretStr
    }
    assert "SCENARIST_SESSION_SECRET" in secrets
    assert secrets - set(MODEL_KEYS) <= set(CREDENTIALS)
