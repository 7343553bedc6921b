"""What a repository says about itself, read from a commit of a small one."""

from collections.abc import Mapping

import pytest

from runners.repository import house_rules
from runners.repository.file_map import file_map
from runners.repository.names import definitions, documents, files_named, names_in, own_words
from tests.support.snapshots import Make


def test_names_of_code_are_found_in_an_issue_and_words_of_prose_are_not() -> None:
    issue = (
        "When I call `click.prompt(text, default=None)` with hide_input, the CliRunner hangs "
        "(see --no-color).\n"
        "The `None` is lost and `it fails here`. See https://example.org/some_page/of_mine.\n"
        "```python\nrunner.invoke(main)\nprint(x)\n```"
    )
    assert names_in(issue) == ("click.prompt", "hide_input", "CliRunner", "--no-color", "runner.invoke")


def test_files_are_named_by_path_or_by_a_name_that_one_file_has() -> None:
    files = ["src/shop/cart.py", "src/shop/order.py", "tests/order.py", "setup.cfg"]
    assert files_named("See cart.py, order.py and tests/order.py at setup.cfg.", files) == [
        "src/shop/cart.py",
        "tests/order.py",
        "setup.cfg",
    ]


CODE = {
    "examples/a.py": "def prompt(): ...\n",
    "src/term.py": "import x\n\ndef prompt(text, hide_input=False):\n    hide_input = 1\n",
    "src/zoo.go": "func (s *Zoo) FeedAll() {}\n",
    "src/options.py": 'option("--no-color")\n',
    "tests/test_term.py": "def prompt(): ...\n",
    "docs/api.rst": "A prompt of words.\n\n.. autofunction:: prompt\n",
    "CHANGES.rst": "- ``prompt`` is new\n",
}


def test_definitions_come_before_mentions_and_the_product_before_examples(commit: Make) -> None:
    snapshot = commit(CODE)
    found = definitions(snapshot, ["click.prompt", "hide_input", "FeedAll", "--no-color", "nowhere"])
    assert [str(hit) for hit in found] == [
        "src/zoo.go:1: func (s *Zoo) FeedAll() {}",
        "src/term.py:3: def prompt(text, hide_input=False):",
        'src/options.py:1: option("--no-color")',
    ]
    assert [hit.line for hit in definitions(snapshot, ["hide_input"])] == [4]
    assert definitions(snapshot, ["nowhere"]) == definitions(snapshot, []) == []


def test_documents_are_shown_where_they_speak_of_code(commit: Make) -> None:
    snapshot = commit(CODE)
    shown = documents(snapshot, ["prompt"], ["CHANGES.rst"])
    assert [str(hit) for hit in shown] == ["docs/api.rst:3: .. autofunction:: prompt"]
    assert [hit.path for hit in documents(snapshot, ["prompt"])] == ["CHANGES.rst", "docs/api.rst"]


def test_the_words_a_project_says_of_itself_and_of_its_issue(commit: Make) -> None:
    project = '[project]\nname = "sqlx"\ndescription = "A parser of SQL."\n'
    snapshot = commit({"pyproject.toml": project})
    assert own_words(snapshot, "`sqlx.split_all` fails") == (
        *("sqlx", "A parser of SQL.", "sqlx.split_all", "split_all"),
    )
    assert own_words(snapshot, "") == ("sqlx", "A parser of SQL.")


def test_the_useful_parts_of_the_guide_for_contributors(commit: Make) -> None:
    guide = (
        "# Contributing\n\nHello.\n\n## Reporting bugs\n\nOpen an issue.\n\n## Code style\n\nUse tabs.\n\n"
        "```\n# No heading\n```\n\nSetting up\n----------\n\nmake\n\nTests\n-----\n\nRun `make check`.\n"
    )
    said = house_rules.contributing(commit({".github/CONTRIBUTING.md": guide}))
    assert said.startswith("From .github/CONTRIBUTING.md:")
    assert "Use tabs." in said and "# No heading" in said and "Run `make check`." in said
    assert not any(each in said for each in ("Hello.", "Open an issue", "\nmake\n"))


@pytest.mark.parametrize("files", [{"a.py": ""}, {"CONTRIBUTING.md": "Just ask."}, {"CONTRIBUTING": ""}])
def test_a_repository_without_such_parts_says_nothing(commit: Make, files: Mapping[str, str]) -> None:
    snapshot = commit(files)
    assert house_rules.contributing(snapshot) == house_rules.changelog(snapshot) == ""
    assert house_rules.version_marks(snapshot) == house_rules.instructions(snapshot) == ""


def test_where_the_next_entry_of_a_changelog_goes(commit: Make) -> None:
    snapshot = commit({"docs/changes.rst": "Version 2\n---------\n\n- One\n" + "- more\n" * 500})
    said = house_rules.changelog(snapshot)
    assert said.startswith("docs/changes.rst begins:\n\nVersion 2") and len(said) < 1300


def test_a_changelog_of_fragments_is_shown_by_its_newest(commit: Make) -> None:
    fragments = {
        "changes/11.bugfix.rst": "Fix it.",
        "changes/12.feature.rst": "Add it.",
        "changes/README.md": "x",
    }
    said = house_rules.changelog(commit({**fragments, "CHANGES.rst": "Version 1\n"}))
    assert "a file of its own in changes/" in said and "changes/12.feature.rst\n    Add it." in said
    assert "changes/README.md says more" in said and "Version 1" not in said


def test_towncriers_own_folder_is_used(commit: Make) -> None:
    settings = '[tool.towncrier]\ndirectory = "notes/next"\n'
    said = house_rules.changelog(commit({"pyproject.toml": settings, "notes/next/7.fix": "Fix."}))
    assert "a file of its own in notes/next/" in said


def test_marks_of_versions_are_a_habit_from_three_on(commit: Make) -> None:
    marks = ".. versionadded:: 1.9\n.. versionchanged:: 1.10\n.. versionadded:: 1.2\n"
    said = house_rules.version_marks(commit({"a.py": f'"""\n{marks}"""\n'}))
    assert "at 3 places" in said and "The newest: `.. versionchanged:: 1.10` in a.py:3;" in said


@pytest.mark.parametrize(
    ("files", "package"),
    [
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, True),
        ({"setup.cfg": "[metadata]\nname = x\n"}, True),
        ({"package.json": '{"main": "a.js"}'}, True),
        ({"pyproject.toml": "[tool.ruff]\n"}, False),
        ({"setup.py": "", "manage.py": ""}, False),
    ],
)
def test_whether_others_import_the_repository(commit: Make, files: Mapping[str, str], package: bool) -> None:
    assert house_rules.is_package(commit(files)) is package


def test_a_large_repository_is_shown_near_what_the_issue_is_about() -> None:
    files = sorted(
        [*(f"docs/part{n}/page_{n}.md" for n in range(500)), "setup.py", "src/a/cart.py", "src/a/b.py"]
    )
    shown = file_map(files, ["src/a/cart.py"])
    assert shown[:3] == ("src/a/cart.py", "setup.py", "src/a/b.py")
    assert "docs/ (500 more files)" in shown and sum(map(len, shown)) < 6000
    assert file_map(["b", "a"], []) == ("b", "a")


def test_the_answers_to_a_template_are_told_from_the_summary() -> None:
    template = "<!--\n# Not this -->\n## Description ##\nx\n### How was this tested?\n"
    headings = house_rules.headings_of(template)
    assert headings == ("Description", "How was this tested?")
    text = "It adds x.\n\n# description\n\nMore.\n\n## Details\n\nd\n\n## How was this tested\n\nBy tests.\n"
    assert house_rules.answered(text, headings) == (
        "It adds x.",
        {"Description": "More.\n\nDetails\n\n\nd", "How was this tested?": "By tests."},
    )
    assert house_rules.answered("It adds x.", headings) == ("It adds x.", {})
    assert house_rules.answered("## Description\nMore.", headings)[0] == "More."
