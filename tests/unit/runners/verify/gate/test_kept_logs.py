"""The logs of a verdict's commands: bounded, without secrets, and found by their hash."""

import hashlib

from runners.policy.redact import Redactor
from runners.verify.gate.kept_logs import MOST_OF_ALL, MOST_OF_ONE, KeptLogs
from runners.verify.suites.run import SuiteRun

SECRET = "ghp_" + "a" * 36


def kept(log: str, redactor: Redactor | None = None) -> str:
    logs = KeptLogs(redactor)
    row = logs.evidence("c" * 40, SuiteRun(command="pytest", log=log, exit_code=1, seconds=1.234), "tests")
    assert (row.command, row.exit_code, row.seconds, row.purpose) == ("pytest", 1, 1.23, "tests")
    text = logs.texts[row.log_sha256]
    assert hashlib.sha256(text.encode(errors="replace")).hexdigest() == row.log_sha256
    return text


def test_a_log_is_kept_under_the_hash_of_its_text() -> None:
    assert kept("1 failed\n") == "1 failed\n"
    assert kept("\x1b[1;31mred\x1b[0m\x07") == "red"


def test_secrets_are_taken_out() -> None:
    assert SECRET not in kept(f"token {SECRET}") and "token" in kept(f"token {SECRET}")
    assert kept("the value 12345678", Redactor(("12345678",))) == "the value [redacted]"


def test_a_long_log_keeps_its_beginning_and_its_end_and_no_half_of_a_secret() -> None:
    for before in range(MOST_OF_ONE // 2 - 60, MOST_OF_ONE // 2 + 60, 7):
        text = kept(f"first {'x' * before} {SECRET} {'y' * 9 * MOST_OF_ONE} last")
        assert text.startswith("first") and text.endswith("last")
        assert len(text) < MOST_OF_ONE + 100 and "ghp_" not in text


def test_when_there_is_no_more_room_a_row_has_no_log() -> None:
    logs = KeptLogs()
    rows = [
        logs.evidence("c" * 40, SuiteRun(command="x", log=f"{n} {'x' * (MOST_OF_ONE - 10)}"), "tests")
        for n in range(MOST_OF_ALL // MOST_OF_ONE + 2)
    ]
    assert rows[0].log_sha256 and not rows[-1].log_sha256
    assert sum(map(len, logs.texts.values())) <= MOST_OF_ALL
    again = logs.evidence("c" * 40, SuiteRun(command="x", log=f"0 {'x' * (MOST_OF_ONE - 10)}"), "tests")
    assert again.log_sha256 == rows[0].log_sha256
