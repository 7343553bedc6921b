"""Functions that only know the examples of a scenario."""

from typing import Any

import pytest

from runners.verify.values.literal_answers import literal_answers


def _found(body: str, lines: range = range(1, 20)) -> list[tuple[int, str]]:
    lines_of = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"def double(n, other=0):\n{lines_of}"
    found = literal_answers(source, set(lines), {"4", "5", "Ann", "0.5"}, {"8", "10", "Hello, Ann", "1.0"})
    return [(each.line, each.compares) for each in found]


@pytest.mark.parametrize(
    "body",
    [
        "if n == 4:\n    return 8\nreturn 0",
        "if 4 == n:\n    return 8",
        "if n == 4:\n    return 8\nraise NotImplementedError",
        "if n == 4:\n    return 8\nelse:\n    return None",
        "if n == 4:\n    return 8\nelif n == 5:\n    return 10\nreturn n",
        '"""Doubles."""\nif n == 4:\n    return 8\nif n == 5:\n    return 10\nreturn []',
        "if n == 'Ann':\n    return 'Hello, Ann'\nreturn ''",
        "if n == 0.5:\n    return 1.0\nreturn 0.0",
    ],
)
def test_a_function_that_only_knows_examples_is_found(body: str) -> None:
    assert len(_found(body)) == 1


@pytest.mark.parametrize(
    "body",
    [
        "return 2 * n",
        "if n == 4:\n    return 8\nreturn 2 * n",
        "if n == 4:\n    return 8\nreturn 'unknown'",
        "if n == 4:\n    return 8\nif n == 7:\n    return 14\nreturn 0",
        "if n == 4:\n    return n + n\nreturn 0",
        "if n == 4:\n    return 9\nreturn 0",
        "if n > 4:\n    return 8\nreturn 0",
        "if n == 4 and other:\n    return 8\nreturn 0",
        "m = n + 1\nif m == 4:\n    return 8\nreturn 0",
    ],
)
def test_a_function_that_computes_or_knows_more_is_not(body: str) -> None:
    assert _found(body) == []


def test_only_functions_of_the_change_count() -> None:
    assert _found("if n == 4:\n    return 8", range(10, 12)) == []
    assert literal_answers("def f(:", {1}, set(), set()) == []


def test_all_other_values_raise() -> None:
    source = (
        "def f(n):\n    if n == 4:\n        return 8\n    elif n == 5:\n        return 10\n    return 0\n"
    )
    (found,) = literal_answers(source, {2}, {"4", "5"}, {"8", "10"})
    names: dict[str, Any] = {}
    exec(found.broken, names)  # noqa: S102 - what is tested is code
    assert names["f"](4) == 8 and names["f"](5) == 10
    with pytest.raises(RuntimeError):
        names["f"](6)
