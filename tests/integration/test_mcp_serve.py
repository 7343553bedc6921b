"""`scenarist mcp serve`, asked by the protocol's own client."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from bot.forges.local.adapter import LocalForge
from bot.storage.database import connect, migrate
from bot.storage.store import open_store


def test_an_assistant_starts_and_follows_a_run(tmp_path: Path) -> None:
    from mcp import Client, StdioServerParameters

    url = f"sqlite:///{tmp_path}/bot.db"
    engine = connect(url)
    migrate(engine)
    forge = LocalForge(engine, tmp_path / "forge")
    forge.create_repo("octo/calc", {"ada": "admin"})
    number = forge.open_issue("octo/calc", "ada", "Double\x1b[2J numbers", "4 becomes 8, please.").number
    environ = {
        "PATH": os.environ["PATH"],
        "SCENARIST_STATE_DIR": str(tmp_path),
        "SCENARIST_DATABASE_URL": url,
    }
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "bot", "mcp", "serve"], env=environ, cwd=str(Path.cwd())
    )

    async def talk() -> None:
        async with Client(server, read_timeout_seconds=300) as client:

            async def use(name: str, **given: Any) -> Any:
                result = await client.call_tool(name, given)
                assert not result.is_error, result.content
                return json.loads(result.content[0].text) if result.content else []

            tools = {each.name: each for each in (await client.list_tools()).tools}
            assert set(tools) == {"list_runs", "run_status", "verdict", "start_run"}
            assert tools["start_run"].input_schema["required"] == ["repo", "issue"]
            begun = await use("start_run", repo="octo/calc", issue=number, forge="local")
            run = begun["run"]
            listed = await use("list_runs", repo="octo/calc", state="open")
            assert run in json.dumps(listed) and "\\u001b" not in json.dumps(listed)
            status = await use("run_status", run=run)
            assert (status["state"], status["verdict"], status["scenarios"]) == ("active", None, [])
            assert await use("verdict", run=run) == {"run": run, "status": None}
            for name, given, said in (
                ("start_run", {"repo": "octo/calc", "issue": number, "forge": "local"}, "SCN-7054"),
                ("run_status", {"run": "none"}, "SCN-7004"),
                ("start_run", {"repo": "octo/calc", "issue": 1, "forge": "nowhere"}, "SCN-"),
            ):
                refused = await client.call_tool(name, given)
                assert refused.is_error and said in refused.content[0].text, refused

    asyncio.run(talk())
    store = open_store(url)
    [row] = store.list_runs()
    requested = store.requested(row.id)
    assert requested is not None and requested.order.body == "4 becomes 8, please."
