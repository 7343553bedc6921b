"""What the shell tool says beside the output."""

from pathlib import Path

import pytest

from tests.support.tool_context import call, context

HINT = "Use the tools git_status, git_diff and git_log."


@pytest.mark.parametrize("git_dir", [False, True])
def test_git_says_what_to_use_instead(tmp_path: Path, git_dir: bool) -> None:
    ctx = context(tmp_path)
    if git_dir:  # a worktree's link, which is covered
        (ctx.root / ".git").write_text("gitdir: /nowhere\n")
    refused = call(ctx, "shell", command="git log --oneline")
    assert not refused.ok and HINT in refused.text
    own = call(ctx, "shell", command="cd /tmp && git init -q x && cd x && git status --short && echo works")
    assert own.ok and "works" in own.text and HINT not in own.text


def test_a_workspace_that_is_too_full_is_named(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    ctx.sandbox.limits = ctx.sandbox.limits.model_copy(update={"files": 10})
    said = call(ctx, "shell", command="touch $(seq 50); sleep 60").text
    assert "the workspace takes 0 MiB in 5" in said and "Delete what is not needed" in said
