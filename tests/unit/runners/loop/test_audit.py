"""The audit trail: sealed entries, and every way of tampering with them noticed."""

import json
from collections.abc import Callable

import pytest

from runners.contract.events import ToolCalled
from runners.loop.audit import GENESIS, Trail, verify
from runners.models.chat import ToolCall
from runners.policy.redact import GONE, redactor


def entries(count: int = 5) -> list[ToolCalled]:
    trail = Trail("edit", redactor(["hunter2-hunter2"]))
    return [
        trail.entry(
            ToolCalled(
                call=ToolCall(
                    id=str(n), name="shell", arguments=json.dumps({"command": f"echo hunter2-hunter2 {n}"})
                ),
                ok=True,
                text=f"answer {n}",
                seconds=0.1,
                data={"exit_code": 0},
            )
        )
        for n in range(count)
    ]


def test_entries_are_linked_and_without_secrets() -> None:
    made = entries()
    assert verify(made) is None
    assert [e.prev for e in made] == [GENESIS, *(e.hash for e in made[:-1])]
    assert len({e.hash for e in made}) == 5 and made[0].role == "edit"
    assert json.loads(made[0].call.arguments) == {"command": f"echo {GONE} 0"}
    assert verify([ToolCalled.model_validate_json(e.model_dump_json()) for e in made]) is None


def test_a_resumed_run_goes_on_with_its_chain() -> None:
    made = entries(2)
    again = Trail("edit", redactor([]), made[-1].hash)
    made.append(again.entry(made[0].model_copy(update={"text": "later"})))
    assert verify(made) is None


@pytest.mark.parametrize(
    ("tamper", "entry"),
    [
        (lambda e: e[:2] + e[3:], 3),
        (lambda e: e[1:], 1),
        (lambda e: [e[0], e[2], e[1], *e[3:]], 2),
        (lambda e: [*e[:1], e[1].model_copy(update={"text": "other"}), *e[2:]], 2),
        (lambda e: [*e[:1], e[1].model_copy(update={"denied": True}), *e[2:]], 2),
        (lambda e: [*e[:4], e[4].model_copy(update={"data": {"exit_code": 1}})], 5),
        (lambda e: [*e[:2], e[1], *e[2:]], 3),
        (lambda e: [*e[:1], e[1].model_copy(update={"hash": ""}), *e[2:]], 2),
    ],
)
def test_tampering_is_noticed(tamper: Callable[[list[ToolCalled]], list[ToolCalled]], entry: int) -> None:
    broken = verify(tamper(entries()))
    assert broken is not None and broken.entry == entry


def test_a_shortened_trail_is_noticed_by_what_was_noted_elsewhere() -> None:
    made = entries()
    assert verify(made[:3]) is None
    assert verify(made, made[-1].hash) is None
    broken = verify(made[:3], made[-1].hash)
    assert broken is not None and "shorter" in broken.reason


def test_a_forger_who_seals_anew_changes_the_anchor() -> None:
    made = entries()
    trail = Trail("edit", redactor([]))
    forged = [trail.entry(e.model_copy(update={"text": "harmless"})) for e in made]
    assert verify(forged) is None
    assert verify(forged, made[-1].hash) is not None
