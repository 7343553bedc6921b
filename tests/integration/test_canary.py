"""Secrets planted in the operator's settings show up nowhere they do not belong."""

import json
from pathlib import Path

from tests.harness import BotUnderTest, doubling, draft

FORGE, MODEL, HOOK = "canary-forge-4f1d", "canary-model-9b2e", "canary-hook-77aa"


def environments(bot: BotUnderTest) -> dict[str, str]:
    """Name of the child -> the environment of it and all it started."""
    found: dict[str, str] = {}
    for child in bot.group._children:
        group = child.process.pid
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if int((entry / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                    text = (entry / "environ").read_bytes().decode(errors="replace")
                    found[child.name] = found.get(child.name, "") + text
            except (OSError, ValueError):
                continue
    return found


def test_secrets_stay_where_they_belong() -> None:
    secrets = {"github_token": FORGE, "model_api_key": MODEL, "github_webhook_secret": HOOK}
    with BotUnderTest(secrets) as bot:
        seen = environments(bot)
        assert FORGE in seen["publish"] and FORGE in seen["intake"]
        assert FORGE not in seen["runs"] + seen["web"] + seen["redis"]
        assert HOOK in seen["web"] and HOOK not in seen["runs"] + seen["redis"]
        assert MODEL in seen["runs"] and MODEL not in seen["web"] + seen["publish"] + seen["intake"]

        repo = bot.make_repo()
        look = doubling()
        bot.script([draft()], look)
        number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
        bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
        assert bot.finished(repo, "issue", number).status == "done"

        written = {
            path.relative_to(bot.state_dir): path.read_bytes()
            for path in bot.state_dir.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        assert Path("scenarist.db") in written and Path("logs/runs.log") in written
        prompts = json.dumps(bot.chat.requests).encode()
        said = json.dumps([c.body for c in bot.forge.comments(repo, number)]).encode()
        artifacts = b"".join(
            bot.store.artifact(run.id, name) or b""
            for run in bot.store.list_runs()
            for name in ("work.bundle", "checkpoint.bundle", "feature")
        )
        for secret in (FORGE, MODEL, HOOK):
            for path, content in {**written, "prompts": prompts, "said": said, "kept": artifacts}.items():
                assert secret.encode() not in content, f"{secret} is in {path}"
