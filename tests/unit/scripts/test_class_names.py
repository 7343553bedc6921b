"""A class name means one thing."""

from pathlib import Path

from scripts.class_names import repeated

ROOT = Path(__file__).parents[3]


def test_no_class_of_this_project_is_defined_twice() -> None:
    assert list(repeated(ROOT)) == []


def test_a_class_and_a_type_of_the_same_name_are_found_but_not_those_of_forges(tmp_path: Path) -> None:
    files = {
        "bot/a.py": "class Step: ...\n",
        "bot/forges/github/b.py": "class Step: ...\n",
        "runners/c.py": "class _Step: ...\nclass Other: ...\n",
        "gherkin/d.py": "from typing import Literal\nStep = Literal['a']\nSTEP = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (found,) = repeated(tmp_path)
    assert found.startswith("Step is defined in gherkin/d.py:2 and runners/c.py:1 and bot/a.py:1")
