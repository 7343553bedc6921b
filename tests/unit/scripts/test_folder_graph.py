"""Imports between folders run one way."""

from pathlib import Path

from scripts.folder_graph import graph, problems

ROOT = Path(__file__).parents[3]


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_project_has_no_circle_of_folders() -> None:
    assert list(problems(ROOT)) == []
    assert len(graph(ROOT)) > 25


def test_a_circle_is_found_with_its_imports(tmp_path: Path) -> None:
    root = _tree(
        tmp_path,
        {
            "gherkin/__init__.py": '"""x"""',
            "gherkin/a/__init__.py": '"""x"""',
            "gherkin/a/one.py": "from gherkin.b.two import x\n",
            "gherkin/b/__init__.py": '"""x"""',
            "gherkin/b/two.py": "def late():\n    from gherkin.a import one\n",
        },
    )
    found = list(problems(root))
    assert len(found) == 2
    assert any("gherkin.b.two -> gherkin.a.one" in line for line in found)


def test_an_import_of_a_higher_house_and_a_crowded_folder_are_found(tmp_path: Path) -> None:
    many = {f"runners/a/m{number}.py": "" for number in range(16)}
    root = _tree(
        tmp_path,
        {
            **many,
            "runners/a/__init__.py": "",
            "bot/b/__init__.py": '"""x"""',
            "bot/b/one.py": "",
            "runners/a/m0.py": "import bot.b.one\n",
        },
    )
    assert list(problems(root)) == [
        "runners.a must not import bot.b: runners.a.m0 -> bot.b.one",
        "runners/a/__init__.py does not say what its folder holds",
        "runners/a holds 16 files, more than 13",
    ]
