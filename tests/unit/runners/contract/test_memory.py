import pytest

from runners.contract.memory import Learned, contradicted, new_lines, relevant, remembered, rewritten

MEMORY = """# Memory

Written by people, too.

## Lessons

- Amounts are in cents, never in floats. (#12, review of ada)
- Name functions with verbs.

## Traps

* The tests in `tests/db` need a server. (#3)
"""


def test_entries_are_read_with_their_headings() -> None:
    assert [(each.heading, each.text[:12]) for each in remembered(MEMORY)] == [
        ("Lessons", "Amounts are "),
        ("Lessons", "Name functio"),
        ("Traps", "The tests in"),
    ]


def test_a_prompt_shows_what_the_task_speaks_of_first() -> None:
    assert relevant(MEMORY, "anything").count("\n- ") == 3, "all have room"
    small = relevant(MEMORY, "Run the tests of the server", 80)
    assert small == "Traps:\n- The tests in `tests/db` need a server. (#3)"
    assert relevant(MEMORY, "amounts in cents", 80).startswith("Lessons:\n- Amounts")
    assert relevant("", "x") == ""


def test_new_lines_are_short_harmless_and_new() -> None:
    learned = [
        Learned(text="- Close @ada's files\nwith `with`, see #4."),
        Learned(text="Amounts are always in cents, never in floats!"),
        Learned(kind="trap", text="The clock is in UTC."),
        Learned(text="..."),
        Learned(text="Close files with `with`, see above."),
        *(Learned(kind="command", text=f"make check{'x' * n}") for n in range(9)),
    ]
    found = new_lines(MEMORY, learned, "#40, review of ada")
    assert [kind for kind, _ in found] == ["lesson", "trap", "command"]
    assert found[0][1].endswith("(#40, review of ada)") and "\n" not in found[0][1]
    assert "@ada" not in found[0][1] and "#4." not in found[0][1]


@pytest.mark.parametrize(
    "named",
    [
        "Amounts are in cents, never in floats. (#12, review of ada)",
        "- amounts  are in cents, never in floats",
    ],
)
def test_an_entry_is_contradicted_word_for_word(named: str) -> None:
    [found] = contradicted(MEMORY, [named, "", "Amounts"])
    assert found.line == 6


def test_lines_go_to_the_end_of_their_section() -> None:
    added = [
        *new_lines(MEMORY, [Learned(text="Close files."), Learned(kind="command", text="make fast")], "#4")
    ]
    text = rewritten(MEMORY, added, contradicted(MEMORY, ["Name functions with verbs."]))
    assert "verbs" not in text and "Written by people, too." in text
    assert "(#12, review of ada)\n- Close files. (#4)\n\n## Traps" in text
    assert text.endswith("need a server. (#3)\n\n## Commands\n\n- make fast (#4)\n")
    empty = rewritten("## Lessons\n\n- Old.\n\n## Traps\n", added[:1], remembered("## Lessons\n\n- Old."))
    assert empty == "## Lessons\n\n- Close files. (#4)\n\n## Traps\n"
    assert rewritten("", added[:1], []) == "## Lessons\n\n- Close files. (#4)\n"
