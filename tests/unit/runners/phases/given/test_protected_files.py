"""Protected files stay as they were, whatever a command does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.git.command import git
from runners.git.workspaces import Workspaces, Worktree
from runners.phases.given.protected_files import ProtectedFiles
from runners.policy.capabilities import Grants, Policy
from runners.policy.protected import PROTECTED
from runners.sandbox.bubblewrap import Sandbox

FILES = {
    ".github/workflows/ci.yml": "on: push\n",
    ".github/actions/a/action.yml": "name: a\n",
    "docs/AGENTS.md": "Be kind.\n",
    ".gitattributes": "*.sh text eol=lf\n",
    ".gitignore": ".vscode/\n",
    "calc.py": "x = 1\n",
    "deploy/prod.yml": "replicas: 1\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Worktree]:
    spaces = Workspaces(tmp_path / "state")
    mirror = spaces.mirror("local", "octo/shop")
    source = tmp_path / "source"
    for path, text in FILES.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    with mirror.lock():
        git("add", "--all", git_dir=mirror.path, work_tree=source)
        written = git("write-tree", git_dir=mirror.path)
        commit = git("commit-tree", written, "-m", "x", git_dir=mirror.path)
    with spaces.worktree(mirror, commit, "01J00000000000000000000000", "implement") as made:
        yield made


def protected(tree: Worktree, **policy: object) -> ProtectedFiles:
    return ProtectedFiles(tree, Policy.model_validate({"protected": PROTECTED, **policy}), tree.head)


def content(tree: Worktree) -> dict[str, str]:
    return {path: (tree.root / path).read_text() for path in FILES}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("mkdir -p .github/workflows; echo x >.github/workflows/evil.yaml", ".github/workflows/evil.yaml"),
        ("echo x >.github/workflows/ci.yml", ".github/workflows/ci.yml"),
        ("rm .github/workflows/ci.yml", ".github/workflows/ci.yml"),
        ("chmod +x .github/workflows/ci.yml", ".github/workflows/ci.yml"),
        ("mkdir -p .husky; echo x >.husky/pre-commit", ".husky/pre-commit"),
        ("mkdir sub; echo x >sub/AGENTS.md", "sub/AGENTS.md"),
        ("echo x >docs/AGENTS.md", "docs/AGENTS.md"),
        ("mv docs elsewhere; ln -s elsewhere docs", "docs/AGENTS.md"),
        ("rm -r .github; ln -s deploy .github", ".github"),
        ("mkdir .zed; cd .zed; git init -q .; echo x >settings.json", ".zed/settings.json"),
        ("echo '*.py filter=evil' >>.gitattributes", ".gitattributes"),
        ("mkdir sub; echo '*.py -diff' >sub/.gitattributes", "sub/.gitattributes"),
        ("echo x >.envrc.; echo x >' '.envrc", ".envrc."),
    ],
)
def test_what_a_command_did_to_protected_files_is_undone(tree: Worktree, line: str, path: str) -> None:
    kept = protected(tree)
    # Without mounts, as on a machine where they do not keep the command from it.
    Sandbox(tree.root).run(["bash", "-c", line])
    put_back = kept.put_back()
    assert path in put_back
    assert content(tree) == FILES
    left = tree.git("diff", "--cached", "--name-only", "HEAD").split("\n")
    assert not [each for each in left if each in put_back]
    assert kept.put_back() == []


def test_what_a_command_may_do_stays(tree: Worktree) -> None:
    kept = protected(tree)
    line = (
        "echo y >calc.py; echo '*.txt text' >>.gitattributes; mkdir .vscode github; echo x >.vscode/ignored; "
        "echo x >github/ci.yml; echo x >deploy/prod.yml; ln -s calc.py other.py"
    )
    Sandbox(tree.root).run(["bash", "-c", line])
    assert kept.put_back() == []
    assert (tree.root / "calc.py").read_text() == "y\n"
    assert (tree.root / "github/ci.yml").exists()


def test_protected_folders_are_mounted_whole_and_files_alone(tree: Worktree, tmp_path: Path) -> None:
    mounts = protected(tree).mounts(tmp_path / "copies")
    assert sorted(mounts) == ["/workspace/.github", "/workspace/docs/AGENTS.md"]
    box = Sandbox(tree.root, read_only=mounts)
    for line in (
        "echo x >.github/workflows/evil.yaml",
        "echo x >docs/AGENTS.md",
        "mv .github x",
        "rm -r .github",
    ):
        assert box.run(["bash", "-c", line]).exit_code != 0, line
    assert box.run(["cat", ".github/workflows/ci.yml"]).output == "on: push\n"
    assert box.run(["bash", "-c", "echo x >docs/guide.md"]).exit_code == 0
    assert content(tree) == FILES


def test_a_path_that_the_repository_opens_can_be_written(tree: Worktree, tmp_path: Path) -> None:
    opened = protected(tree, repository=Grants(allow=("files.write:.github/workflows/ci.yml",)))
    mounts = opened.mounts(tmp_path / "copies")
    assert sorted(mounts) == ["/workspace/.github/actions/a/action.yml", "/workspace/docs/AGENTS.md"]
    Sandbox(tree.root, read_only=mounts).run(
        ["bash", "-c", "echo x >.github/workflows/ci.yml; echo x >.github/workflows/evil.yml"]
    )
    assert opened.put_back() == [".github/workflows/evil.yml"]
    assert (tree.root / ".github/workflows/ci.yml").read_text() == "x\n"


def test_what_is_denied_by_its_path_is_kept_for_commands_too(tree: Worktree, tmp_path: Path) -> None:
    denied = protected(tree, operator=Grants(allow=("*",), deny=("files.write:deploy/**",)))
    assert "/workspace/deploy" in denied.mounts(tmp_path / "copies")
    Sandbox(tree.root).run(["bash", "-c", "echo x >deploy/more.yml"])
    assert denied.put_back() == ["deploy/more.yml"]


def test_more_files_than_can_be_mounted_are_put_back(
    tree: Worktree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.phases.given.protected_files._MAX_MOUNTS", 1)
    kept = protected(tree)
    mounts = kept.mounts(tmp_path / "copies")
    assert list(mounts) == ["/workspace/.github"]
    Sandbox(tree.root, read_only=mounts).run(["bash", "-c", "echo x >docs/AGENTS.md"])
    assert kept.put_back() == ["docs/AGENTS.md"]
    assert content(tree) == FILES
