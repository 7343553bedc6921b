"""The whole bot on PostgreSQL."""

import psycopg

from tests.support.harness import BotUnderTest, doubling, draft


def test_from_the_label_to_the_pull_request_on_postgresql(postgres_server: str) -> None:
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute("CREATE DATABASE whole")
    with BotUnderTest({"database_url": f"{postgres_server}/whole"}) as bot:
        repo = bot.make_repo()
        bot.script([draft()], doubling())
        number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
        bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
        state = bot.finished(repo, "issue", number)
        assert state.status == "done", (state.code, state.reason)
        assert state.published is not None
        assert bot.forge.pull(repo, state.published.pull).head_sha == state.published.commit
        assert not (bot.state_dir / "scenarist.db").exists()
