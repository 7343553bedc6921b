"""URLs of databases and brokers as people write them, and settings that nobody reads."""

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from bot.config.settings import Settings, SettingsInvalid, load_settings, unknown_variables
from bot.config.urls import broker_url, database_url, redis_url
from bot.storage.database import connect


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_means_its_driver(scheme: str) -> None:
    url = f"{scheme}://me:p%40ss@db:5433/x?sslmode=require"
    assert database_url(url) == "postgresql+psycopg://me:p%40ss@db:5433/x?sslmode=require"
    assert connect(url).dialect.name == "postgresql"


@pytest.mark.parametrize("url", ["mysql://me:secret-word@db/x", "postgresql", "::", "redis://h/0"])
@pytest.mark.parametrize("command", ["doctor", "worker", "migrate"])
def test_another_database_gets_the_same_line_from_every_command(
    monkeypatch: pytest.MonkeyPatch, url: str, command: str
) -> None:
    monkeypatch.setenv("SCENARIST_DATABASE_URL", url)
    error = CliRunner().invoke(app, [command]).exception
    assert isinstance(error, SettingsInvalid) and "secret-word" not in str(error)
    assert "SCENARIST_DATABASE_URL: " in error.message
    assert "write postgresql://USER:PASSWORD@HOST/NAME, or leave it empty for SQLite." in error.message


def test_brokers() -> None:
    assert broker_url("redis://h:6379/0") == "redis://h:6379/0"
    assert broker_url("unix:///run/redis.sock") == "redis+socket:///run/redis.sock"
    assert redis_url("redis+socket:///run/redis.sock") == "unix:///run/redis.sock"
    assert broker_url("rediss://h/0") == "rediss://h/0?ssl_cert_reqs=CERT_REQUIRED"
    assert broker_url("rediss://h/0?ssl_cert_reqs=CERT_NONE") == "rediss://h/0?ssl_cert_reqs=CERT_NONE"
    assert redis_url("rediss://h/0?ssl_cert_reqs=CERT_REQUIRED") == "rediss://h/0?ssl_cert_reqs=required"


@pytest.mark.parametrize("url", ["amqp://h", "h:6379", "", "memory://"])
def test_another_broker_is_told_what_to_write(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SCENARIST_BROKER_URL", url)
    with pytest.raises(SettingsInvalid, match="SCENARIST_BROKER_URL: .*write redis://HOST:6379/0"):
        load_settings()


@pytest.mark.parametrize("name", ["AGENT_RUNTIME_MODE", "SCENARIST_RUNTIME"])
def test_the_variable_that_was_set_is_blamed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("AGENT_RUNTIME_MODE", raising=False)
    monkeypatch.setenv(name, "quantum")
    with pytest.raises(SettingsInvalid, match=f"^SCN-7001: {name} should be one of "):
        load_settings()


def test_mistyped_variables_are_named_with_what_is_meant() -> None:
    names = {f"SCENARIST_{name.upper()}": "x" for name in Settings.model_fields}
    assert unknown_variables({**names, "SCENARIST_DEBUG": "1", "PATH": "/bin"}) == []
    said = unknown_variables({"SCENARIST_MODLE_URL": "x", "SCENARIST_XYZ": "x"})
    assert "Did you mean SCENARIST_MODEL_URL?" in said[0] and "SCENARIST_XYZ is not a setting" in said[1]
