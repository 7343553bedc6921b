"""Secrets planted in the operator's settings show up nowhere they do not belong."""

import contextlib
import json
from pathlib import Path

from runners.git.command import git
from tests.standins.chat_server import call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says

FORGE, MODEL, HOOK = "canary-forge-4f1d", "canary-model-9b2e", "canary-hook-77aa"
MARK = "no-secret-at-all-31c8"


def memories(bot: BotUnderTest) -> dict[str, str]:
    """Name of the child -> the environment, and what is in memory, of it and of all it started."""
    found: dict[str, str] = {}
    for child in bot.group._children:
        group = child.process.pid
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if int((entry / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                    held = (entry / "environ").read_bytes() + canaries_in(entry)
                    found[child.name] = found.get(child.name, "") + held.decode(errors="replace")
            except (OSError, ValueError):
                continue
    return found


def canaries_in(process: Path) -> bytes:
    """Return the secrets in the writable memory of a process, by its folder in /proc."""
    found = b""
    with (process / "mem").open("rb", buffering=0) as memory:
        for line in (process / "maps").read_text().splitlines():
            span, access = line.split()[:2]
            start, end = (int(each, 16) for each in span.split("-"))
            if access.startswith("rw") and end < 1 << 63:
                with contextlib.suppress(OSError):
                    memory.seek(start)
                    held = memory.read(end - start)
                    found += b" ".join(
                        name.encode() for name in (FORGE, MODEL, HOOK) if name.encode() in held
                    )
    return found


def test_secrets_stay_where_they_belong() -> None:
    secrets = {"github_token": FORGE, "model_api_key": MODEL, "github_webhook_secret": HOOK}
    with BotUnderTest(secrets) as bot:
        seen = memories(bot)
        assert FORGE in seen["publish"] and FORGE in seen["intake"]
        assert FORGE not in seen["runs"] + seen["web"] + seen["redis"]
        assert HOOK in seen["web"] and HOOK not in seen["runs"] + seen["redis"]
        assert MODEL in seen["runs"] and MODEL not in seen["web"] + seen["publish"] + seen["intake"]

        # What it found stays in the change, which may hold anything.
        repo = bot.make_repo(
            files={
                **CALC,
                ".scenarist.yml": CALC[".scenarist.yml"] + "diff: {lines: 1000000, binaries: true}\n",
            }
        )
        # A model that looks for them, and says what it found.
        hunt = (
            "env; cat /proc/*/environ; cat /proc/*/cmdline; ls -laR / 2>/dev/null | head -2000; echo " + MARK
        )
        spill = says(
            call("shell", command=f"({hunt}) 2>&1 | tee found.txt"),
            call("read_file", path="found.txt"),
            call("search", pattern="canary"),
            text=f"I found {MARK}.",
        )
        bot.script([draft()], [spill, *doubling()])
        number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
        bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
        state = bot.finished(repo, "issue", number)
        assert state.status == "done", (state.reason, state.verdict and state.verdict.problems)

        written = {
            path.relative_to(bot.state_dir): path.read_bytes()
            for path in bot.state_dir.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        assert Path("scenarist.db") in written and Path("logs/runs.log") in written
        prompts = json.dumps(bot.chat.requests).encode()
        said = json.dumps([c.body for c in bot.forge.comments(repo, number)]).encode()
        places = {**written, "prompts": prompts, "said": said, "objects": objects(bot)}
        log = [e.model_dump_json() for run in bot.store.list_runs() for e in bot.store.entries(run.id)]
        places["log"] = "".join(log).encode()
        for secret in (FORGE, MODEL, HOOK):
            for path, content in places.items():
                assert secret.encode() not in content, f"{secret} is in {path}"
        # The control: a word that is no secret got to all the places where one could have.
        for place in ("prompts", "objects", "log"):
            assert MARK.encode() in places[place], place


def objects(bot: BotUnderTest) -> bytes:
    """The contents of all git objects in the artifacts and in the forge's repositories."""
    found = b""
    repositories = [*(bot.state_dir / "mirrors").glob("*.git"), *(bot.state_dir / "forge").rglob("*.git")]
    for run in bot.store.list_runs():
        for name in ("work.bundle", "checkpoint.bundle"):
            bundle = bot.state_dir / f"{run.id}-{name}"
            bundle.write_bytes(bot.store.artifact(run.id, name) or b"")
            target = repositories[0]
            git("fetch", "--quiet", str(bundle), f"+refs/*:refs/canary/{name}/*", git_dir=target)
    for repository in repositories:
        listed = git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", git_dir=repository)
        names = "".join(f"{name}\n" for name in listed.splitlines()).encode()
        found += git("cat-file", "--batch", git_dir=repository, stdin=names).encode(errors="replace")
    return found
