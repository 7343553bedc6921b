"""`scenarist init` on a repository of one's own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.chat_server import ChatServer


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    tree = tmp_path / "repo"
    tree.mkdir()
    git("init", "--quiet", "--initial-branch=main", str(tree), git_dir=tree / ".git")
    return tree


def committed(tree: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_text(text)
    git("add", "--all", git_dir=tree / ".git", work_tree=tree)
    git("commit", "--quiet", "--message", "x", git_dir=tree / ".git", work_tree=tree)


def init(repo: Path, *args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bot", "init", "--repo", str(repo), *args]
    return subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=170,
    )


def test_it_writes_a_configuration_that_works_with_what_it_saw(repo: Path) -> None:
    committed(repo, {"requirements.txt": "six\n", "compose.yml": "services:\n  r:\n    image: redis:7\n"})
    test = (
        "import os\nimport six\n\n\ndef test_a():\n    assert os.environ['REDIS_URL']\n\n\ndef "
        "test_b():\n    assert 0\n"
    )
    committed(repo, {"test_a.py": test})
    done = init(repo)
    assert done.returncode == 0, done.stderr
    assert "pytest: 2 tests, 1 passed, 1 failed" in done.stderr
    text = (repo / ".scenarist.yml").read_text()
    assert yaml.safe_load(text) == {"version": 1, "services": ["redis"]}
    assert text.startswith("# yaml-language-server: $schema=.scenarist/schema.json\n")
    schema = json.loads((repo / ".scenarist" / "schema.json").read_text())
    jsonschema.validate(yaml.safe_load(text), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"nosuch": 1}, schema)
    assert "# pytest: 2 tests, 1 passed, 1 failed" in text and "#   fails already: test_a.py::test_b" in text
    assert "\n# behave: python manage.py behave\n" in text
    again = init(repo)
    assert again.returncode != 0 and "SCN-7017" in again.stderr
    assert git("status", "--porcelain", git_dir=repo / ".git", work_tree=repo).split() == [
        *("??", ".scenarist.yml"),
        *("??", ".scenarist/"),
    ]


def test_it_says_what_is_missing_and_writes_nothing(repo: Path) -> None:
    committed(
        repo,
        {"test_a.py": "import not_there\n\n\ndef test_a():\n    pass\n", "deps/requirements.in": "six\n"},
    )
    done = init(repo)
    assert done.returncode != 0
    assert "No model was asked for set-up commands, because none is configured" in done.stderr
    assert "`not_there`" in done.stderr and "deps/requirements.in" in done.stderr
    assert not (repo / ".scenarist.yml").exists()


def test_a_configured_model_is_asked_for_set_up_commands_and_those_that_work_are_written(repo: Path) -> None:
    committed(repo, {"test_a.py": "import cowsay\n\n\ndef test_a():\n    pass\n"})
    commands = ["pip install cowsay"]
    answers = [Reply(text=json.dumps({"commands": each})) for each in (["false"], commands)]
    with ChatServer(answers, []) as server:
        done = init(repo, "--no-model", SCENARIST_MODEL_URL=server.url)
        assert done.returncode != 0 and "No model was asked" in done.stderr
        assert server.requests == []
        done = init(repo, SCENARIST_MODEL_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert "a model wrote the set-up commands" in done.stderr
    text = (repo / ".scenarist.yml").read_text()
    assert yaml.safe_load(text) == {"version": 1, "setup": commands}
