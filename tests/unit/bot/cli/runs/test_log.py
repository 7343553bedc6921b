"""`scenarist log`: what the verifier ran, and what its commands printed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.runs.log import LogMissing
from bot.storage.database import connect, migrate
from bot.storage.run_log import put
from bot.storage.store import Store
from runners.contract.job import log_name
from tests.support import logs
from tests.support.run_logs import stored_run

LOG = log_name(logs.GREEN.evidence[0].log_sha256)


@pytest.fixture
def run_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A verified run in the database of the settings."""
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    monkeypatch.setenv("SCENARIST_DATABASE_URL", url)
    engine = connect(url)
    migrate(engine)
    found = stored_run(Store(engine), logs.VERIFIED, key="one")
    with engine.begin() as db:
        put(db, found, {LOG: b"Failing scenarios:\n\x1b[31mred\n"})
    engine.dispose()
    return found


def test_the_verifiers_commands_are_listed_and_their_output_is_printed(run_id: str) -> None:
    listed = CliRunner().invoke(app, ["log", run_id, "--commands"])
    assert "   1 verdict 1 exit 1    0.4 s  python -m behave features/issue_12" in listed.output
    assert "(scenarios on the old code)" in listed.output
    printed = CliRunner().invoke(app, ["log", run_id, "--output", "1"])
    assert printed.exit_code == 0 and printed.output.startswith("Failing scenarios:\n")
    assert "\x1b" not in printed.output
    as_json = CliRunner().invoke(app, ["log", run_id, "--commands", "--json"])
    assert '"number": 1' in as_json.output and '"exit_code": 1' in as_json.output


@pytest.mark.parametrize("number", ["0", "2", "-1"])
def test_a_command_that_was_not_run_is_an_error_with_a_code(run_id: str, number: str) -> None:
    done = CliRunner().invoke(app, ["log", run_id, "--output", number])
    assert isinstance(done.exception, LogMissing) and "1 command" in done.exception.message


def test_output_that_was_removed_is_an_error_with_a_code(run_id: str) -> None:
    from bot.config.settings import load_settings

    engine = connect(load_settings().database)
    with engine.begin() as db:
        put(db, run_id, {})
        db.exec_driver_sql("DELETE FROM artifacts")
    engine.dispose()
    done = CliRunner().invoke(app, ["log", run_id, "--output", "1"])
    assert isinstance(done.exception, LogMissing) and "not kept" in done.exception.message
