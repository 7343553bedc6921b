"""What `scenarist verify` prints of a verdict."""

import json

import pytest

from bot.cli.repository import verify
from runners.verify.verdict import Failure, Problem, Verdict

HOSTILE = "\x1b[31mred\x1b[0m\n::error::gone\nx ##[error]y"
VERDICT = Verdict(
    base_sha="a" * 40,
    head_sha="b" * 40,
    problems=(Problem(code="regression", message=f"tests/\n::warning::x.py {HOSTILE}"),),
    failures=(Failure(test="tests/test_a.py::test_a", message=HOSTILE),),
)


def acts(text: str) -> bool:
    """Whether a terminal or a job's runner would obey something in a text."""
    return "\x1b" in text or "##[" in text or any(line.strip().startswith("::") for line in text.split("\n"))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_verdict_moves_no_terminal_and_commands_no_runner(as_json: bool) -> None:
    shown = verify.verdict_text(VERDICT, as_json=as_json)
    assert "gone" in shown and not acts(shown)
    assert not as_json or json.loads(shown)["failures"][0]["message"] == HOSTILE


def test_without_the_guard_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "for_terminal", lambda text: text)
    assert acts(verify.verdict_text(VERDICT, as_json=False))
