"""What the operator allows in a day is used up: the issue says so."""

from pathlib import Path

from tests.support.harness import BotUnderTest, doubling, draft


def test_a_repository_that_has_used_its_day_is_told(tmp_path: Path) -> None:
    limits = tmp_path / "limits.yml"
    limits.write_text("allowances:\n  repository: {runs_a_day: 1, runs_at_once: 1}\n")
    with BotUnderTest({"limits_file": limits}) as bot:
        bot.script([draft()], doubling())
        repo = bot.make_repo()
        for title, status in (("Double numbers", "done"), ("Double once more", "failed")):
            number = bot.forge.open_issue(repo.full_name, "ada", title, "4 becomes 8, please.").number
            bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
            state = bot.finished(repo, "issue", number)
            assert state.status == status, state.reason
        assert state.code == "SCN-1103"
        comment = bot.forge.comments(repo, number)[0].body
        assert "In the last 24 hours repository octo/calc has used its 1 runs" in comment
        assert "tomorrow" in comment
        other = bot.make_repo("octo/other")
        bot.script([draft()], doubling())
        number = bot.forge.open_issue(other.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
        bot.forge.add_label(other.full_name, number, "agent:implement", "ada")
        assert bot.finished(other, "issue", number).status == "done"
