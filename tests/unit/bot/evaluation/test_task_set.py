"""Sets of tasks: what they may say, and what is said of a mistake."""

import re
from pathlib import Path

import pytest

from bot.evaluation.task_set import EvalSetInvalid, read_set, shipped_sets

TASK = "  - id: one\n    issue: Add it\n    base: {texts: {a.py: x}}\n"
HIDDEN = "    hidden: {files: [{texts: {test_a.py: y}}]}\n"


def test_a_set_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text(f"name: own\ntasks:\n{TASK}{HIDDEN}")
    found = read_set(str(path))
    assert found.tasks[0].base.texts == {"a.py": "x"} and found.place == tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"name: own\ntasks:\n{TASK}", "tests must judge a task"),
        (f"name: own\ntasks:\n{TASK}{HIDDEN}{TASK}{HIDDEN}", "two tasks have the id one"),
        (f"name: own\ntasks:\n{TASK}{HIDDEN}    config: {{candidate: 3}}\n", "config"),
        (f"name: own\ntasks:\n{TASK.replace('texts', 'text')}{HIDDEN}", "text is not known here"),
        (f"name: own\ntasks:\n{TASK.replace('}}', '}, folder: b}')}{HIDDEN}", "give one of texts, folder"),
        ("name: own\ntasks: []\n", "tasks"),
        ("name: [", "own.yml line 1"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.yml"
    path.write_text(text)
    with pytest.raises(EvalSetInvalid, match=re.escape(said)):
        read_set(str(path))


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(EvalSetInvalid, match="nowhere is neither a readable file"):
        read_set("nowhere")


def test_the_shipped_sets_are_pinned_and_hold_tasks_that_cannot_be_done() -> None:
    for name in shipped_sets():
        found = read_set(name)
        assert any(task.impossible for task in found.tasks), name
        for task in found.tasks:
            assert task.licence, task.id
            trees = [task.base, *task.fix, *(task.hidden.files if task.hidden else ())]
            sources = [tree.row.git if tree.row else tree.git for tree in trees]
            assert all(len(source.commit) == 40 for source in sources if source is not None), task.id
            assert all(source.url.startswith("https://") for source in sources if source is not None)
    public = read_set("public").tasks
    assert {task.id for task in read_set("smoke").tasks} < {task.id for task in public}
    assert len(public) == 30 and sum(bool(task.impossible) for task in public) == 3
