"""A runner on another machine: it shares the database and the broker, and no file."""

from pathlib import Path

from tests.support.harness import BotUnderTest, doubling, draft


def test_commits_travel_through_the_database_alone(tmp_path: Path) -> None:
    far = tmp_path / "far"
    with BotUnderTest({"carry_base": True}, runner_env={"SCENARIST_STATE_DIR": str(far)}) as bot:
        # The runner's own folder has no forge; its database is the bot's.
        repo = bot.make_repo()
        bot.script([draft()], doubling())
        number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
        bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
        state = bot.finished(repo, "issue", number)
        assert state.status == "done", (state.code, state.reason)
        near, other = (list((home / "mirrors").glob("*.git")) for home in (bot.state_dir, far))
        assert len(near) == len(other) == 1
        assert not list((far / "work").glob("*"))
