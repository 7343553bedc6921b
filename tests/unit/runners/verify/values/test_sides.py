"""In which ways other values differ from one that a step names."""

import pytest

from runners.verify.values.sides import sides


def _values(value: str, *known: str, ordered: bool = False) -> list[tuple[str, ...]]:
    return [each.values for each in sides(value, known, ordered=ordered)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-12-31", [("2025-12-31", "2027-12-31"), ("2024-11-31", "2024-08-31")]),
        ("9:05", [("10:05", "14:05")]),
        ("23:05:59", [("22:05:59", "18:05:59"), ("23:05:58", "23:05:52")]),
        ("banana", [("cboana", "edqana"), ("banbob", "bandqd")]),
        ("Éa", [("Éb", "Éd")]),
        ("/items/list", [("/jufnt/mjtu", "/lwhpv/olvw")]),
        ("http://x.org/a b", [("iuuq://y.psh/b c", "kwws://a.ruj/d e")]),
        ("no", []),
        ("x", []),
        ("12:", []),
    ],
)
def test_each_part_of_a_value_is_changed_alone(value: str, expected: list[tuple[str, ...]]) -> None:
    assert _values(value) == expected


@pytest.mark.parametrize(
    ("known", "found"), [("new york", True), ("kroY weN", True), ("YORK NEW", True), ("Boston", False)]
)
def test_the_letters_of_an_earlier_step_are_tried(known: str, *, found: bool) -> None:
    groups = _values("New York", known)
    assert ((known,) in groups) is found


def test_only_comparisons_of_numbers_depend_on_the_code_of_the_step() -> None:
    assert [each.compared for each in sides("1.5", (), ordered=False)] == [True] * 5 + [False]
    assert not any(each.compared for each in sides("2024-12-31", (), ordered=False))
