"""Code that is broken on purpose: where, and what it does then."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runners.verify.instrumentation import sabotage
from runners.verify.instrumentation.sabotage import NOTHING, OTHER, RAISES, Instrumented, state

BEFORE = "def half(n):\n    return n / 2\n"


class Switch:
    """The switch of instrumented code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def turn(self, to: str) -> None:
        self.path.unlink(missing_ok=True)
        if to:
            self.path.symlink_to(to)

    def marks(self) -> list[str]:
        return sorted(each.name.partition("-")[2] for each in self.path.parent.glob("state-*"))


@pytest.fixture
def switch(tmp_path: Path) -> Switch:
    return Switch(tmp_path / "state")


def _made(switch: Switch, after: str, before: str = BEFORE) -> tuple[Instrumented, dict[str, Any]]:
    made = sabotage.instrumented("calc.py", before, after, str(switch.path))
    names: dict[str, Any] = {}
    exec(compile(made.source, "calc.py", "exec"), names)  # noqa: S102 - what is tested is code
    return made, names


def _raises(call: Callable[[], object]) -> bool:
    try:
        call()
    except RuntimeError as error:
        return str(error) == "broken on purpose"
    return False


def test_only_what_is_new_is_broken(switch: Switch) -> None:
    made, names = _made(switch, BEFORE + "\n\ndef double(n):\n    'Twice.'\n    return 2 * n\n")
    assert [(site.name, site.line) for site in made.sites] == [("double", 7)]
    assert names["double"](4) == 8
    switch.turn(state(RAISES, made.sites))
    assert _raises(lambda: names["double"](4)) and names["half"](4) == 2
    switch.turn(state(NOTHING, made.sites))
    assert names["double"](4) is None
    switch.turn(state(RAISES))
    assert _raises(lambda: names["double"](4)), "everything"


def test_a_changed_branch_is_broken_alone(switch: Switch) -> None:
    made, names = _made(
        switch, "def half(n):\n    if n < 0:\n        n = -n\n        return n\n    return n / 2\n"
    )
    assert [site.line for site in made.sites] == [2, 3]
    switch.turn(state(RAISES, made.sites[1:]))
    assert _raises(lambda: names["half"](-4)) and names["half"](4) == 2


def test_where_something_was_only_taken_away_the_function_is_broken(switch: Switch) -> None:
    made, names = _made(switch, BEFORE, before="def half(n):\n    print(n)\n    return n / 2\n")
    assert [site.name for site in made.sites] == ["half"]
    switch.turn(state(NOTHING, made.sites))
    assert names["half"](4) is None


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ("8", 9),
        ("0.5", 1.5),
        ("True", False),
        ("'a'", "ax"),
        ("b'a'", b"ax"),
        ("[1, 2]", [1]),
        ("[]", [None]),
        ("(1, 2)", (1,)),
        ("{1}", set()),
        ("{'a': 1}", {}),
        ("{}", {"x": "x"}),
    ],
)
def test_another_value_comes_back(switch: Switch, value: str, other: object) -> None:
    _, names = _made(switch, f"{BEFORE}\n\ndef double():\n    return {value}\n")
    switch.turn(OTHER)
    assert names["double"]() == other
    assert switch.marks() == ["altered"]


def test_a_value_of_which_no_other_one_is_known_is_marked_as_kept(switch: Switch) -> None:
    _, names = _made(switch, f"{BEFORE}\n\ndef double():\n    return object\n")
    switch.turn(OTHER)
    assert names["double"]() is object
    assert switch.marks() == ["kept"]


def test_none_becomes_something_without_a_mark(switch: Switch) -> None:
    """A caller may well ignore it: that nobody notices shows nothing."""
    _, names = _made(switch, f"{BEFORE}\n\ndef double(n):\n    if n:\n        return None\n    return\n")
    switch.turn(OTHER)
    assert (names["double"](1), names["double"](0)) == (1, 1)
    assert switch.marks() == []


def test_generators_and_coroutines_still_work(switch: Switch) -> None:
    made, names = _made(
        switch,
        f"{BEFORE}\n\ndef count(n):\n    for each in range(n):\n        yield each\n    return\n\n\n"
        "async def double(n):\n    return 2 * n\n\n\nasync def each(n):\n    yield n\n    return\n",
    )
    assert (list(names["count"](2)), asyncio.run(names["double"](4))) == ([0, 1], 8)
    switch.turn(OTHER)
    assert (list(names["count"](2)), asyncio.run(names["double"](4))) == ([1, 2], 9)
    switch.turn(state(NOTHING, made.sites))
    assert (list(names["count"](2)), asyncio.run(names["double"](4))) == ([], None)


def test_init_goes_on_returning_none(switch: Switch) -> None:
    _, names = _made(
        switch, f"{BEFORE}\n\nclass Cart:\n    def __init__(self):\n        self.items = []\n        return\n"
    )
    switch.turn(OTHER)
    assert names["Cart"]().items == []


def test_what_stands_outside_of_functions_is_told_and_can_be_taken_away(switch: Switch) -> None:
    after = f"{BEFORE}\nLIMIT = 50\nprint\nfrom os import path\n"
    made, _ = _made(switch, after)
    assert made.rest and not made.sites
    assert sabotage.blanked(BEFORE, after).endswith("\nLIMIT = None\npass\nfrom os import path\n")
    imports, _ = _made(switch, f"{BEFORE}\nimport os\n__version__ = '2'\n")
    assert not imports.rest


def test_every_function_can_be_broken_at_once(switch: Switch) -> None:
    names: dict[str, Any] = {}
    exec(sabotage.all_broken(BEFORE, str(switch.path)), names)  # noqa: S102 - what is tested is code
    assert names["half"](4) == 2
    switch.turn(state(RAISES))
    assert _raises(lambda: names["half"](4))


def test_what_is_no_python_is_said() -> None:
    with pytest.raises(SyntaxError):
        sabotage.all_broken("def :", "/switch")
