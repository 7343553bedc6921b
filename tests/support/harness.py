"""A whole bot under test: embedded Redis, the web app and one worker for each queue, each in a process of its
own."""

import atexit
import json
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType

import httpx

from bot.config.settings import Settings
from bot.forges.forge import Repo
from bot.forges.local.adapter import LocalForge
from bot.intake.deliveries import Deliveries
from bot.log.state import RunState, fold
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from bot.tls import trusted
from bot.worker.forked import ForkServer
from bot.worker.machine import environment, start_all
from bot.worker.processes import Processes, free_port, is_ready, processes, start_redis, wait_for
from runners.git.command import git
from runners.models.chat import Reply, TokenUsage, ToolCall
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.waiting import HANG_S, wait_until

SECRET = "a-webhook-secret"
REPO = "octo/calc"

CALC: dict[str, str] = {
    # Only the tests of mutants and held-out examples use them, and the demo: they cost seconds and a request.
    ".scenarist.yml": "mutation: {mutants: 0}\nheld_out: 0\n",
    "calc.py": "def add(a, b):\n    return a + b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "features/add.feature": "Feature: Add\n\n  Scenario: Adding\n    When I add 1 and 2\n    Then I get 3\n",
    "features/steps/steps.py": (
        "from behave import then, when\n\nfrom calc import add\n\n\n"
        '@when("I add {a:d} and {b:d}")\ndef adding(context, a, b):\n    context.result = add(a, b)\n\n\n'
        '@then("I get {n:d}")\ndef get(context, n):\n    assert context.result == n, context.result\n'
    ),
}

DOUBLE_FEATURE = "Feature: Double\n\n  Scenario: Doubling\n    When I double 4\n    Then I get 8\n"

DOUBLE_STEPS = (
    "from behave import when\n\nimport calc\n\n\n"
    '@when("I double {n:d}")\ndef doubling(context, n):\n    context.result = calc.double(n)\n'
)


def clone_of(files: Mapping[str, str], tree: Path) -> Path:
    """Make a working tree at `tree` with one commit that holds `files`; returns it."""
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    git("init", "--quiet", "--initial-branch=trunk", str(tree), git_dir=tree / ".git")
    git("add", "--all", git_dir=tree / ".git", work_tree=tree)
    git("commit", "--quiet", "--message", "Begin", git_dir=tree / ".git", work_tree=tree)
    return tree


def says(*calls: ToolCall, text: str = "") -> Reply:
    """Return a scripted reply with these calls."""
    return Reply(text=text, tool_calls=calls, usage=TokenUsage(prompt_tokens=900, completion_tokens=60))


def doubling(body: str = "return 2 * n") -> list[Turn]:
    """Return the turns of a model that implements doubling with `body` and finishes."""
    code = CALC["calc.py"] + f"\n\ndef double(n):\n    {body}\n"
    return [
        says(call("read_file", path="calc.py")),
        says(
            call("write_file", path="calc.py", content=code),
            call("write_file", path="features/steps/double_steps.py", content=DOUBLE_STEPS),
        ),
        says(call("run_tests")),
        says(call("finish", summary="Adds `double` to calc.py.")),
    ]


def draft(name: str = "Doubling", *steps: tuple[str, str]) -> Reply:
    """Return a model's answer to the request for scenarios."""
    wanted = steps or (("When", "I double 4"), ("Then", "I get 8"))
    feature = {
        "name": "Double",
        "narrative": {"as_a": "user", "i_want": "to double", "so_that": "I save time"},
        "scenarios": [{"name": name, "steps": [{"keyword": word, "text": text} for word, text in wanted]}],
        "questions": [],
    }
    return Reply(text=json.dumps(feature), usage=TokenUsage(prompt_tokens=500, completion_tokens=80))


@cache
def fork_server() -> ForkServer:
    """Return the fork server that all bots of this test process share."""
    server = ForkServer()
    atexit.register(server.close)
    return server


class BotUnderTest:
    """A bot that runs within ``with``; its model is a scripted server whose turns tests set on `chat`."""

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        port: int | None = None,
        runner_env: Mapping[str, str] | None = None,
    ) -> None:
        self._runner_env = runner_env
        self._stack = ExitStack()
        self._changes = dict(settings or {})
        self._states: dict[str, RunState] = {}
        self.port = port or free_port()

    def __enter__(self) -> "BotUnderTest":
        # The path is short, because the path of a unix socket has at most 107 characters.
        self.state_dir = Path(mkdtemp(prefix="scn-"))
        self._stack.callback(_remove, self.state_dir)
        self.chat = self._stack.enter_context(ChatServer([], []))
        self.settings = Settings.model_validate(
            {
                "state_dir": self.state_dir,
                "database_url": f"sqlite:///{self.state_dir / 'scenarist.db'}",
                "runtime": "vllm",
                "model_url": self.chat.url,
                "model_name": "scripted",
                "local_webhook_secret": SECRET,
                "public_url": f"http://127.0.0.1:{self.port}",
                "reap_seconds": 1.0,
                "lease_seconds": 60.0,
                "retry_seconds": 0.3,
                "command_seconds": 300.0,
                **self._changes,
            }
        )
        self.store = Store(connect(self.settings.database))
        self._stack.callback(self.store.engine.dispose)
        migrate(self.store.engine)
        # The state goes with the bot: nothing is gained by waiting until each process has ended properly.
        self.group: Processes = self._stack.enter_context(
            processes(self.state_dir / "logs", grace_s=0, server=fork_server())
        )
        env = environment(self.settings, start_redis(self.group, self.state_dir / "redis"))
        start_all(self.group, env, self.port, self._runner_env)
        wait_for(self.is_up, self.group, "The web app")
        self.sent: list[tuple[Mapping[str, str], bytes]] = []
        self.forge = LocalForge(
            self.store.engine, self.state_dir / "forge", send=self.deliver, secret=SECRET.encode()
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def is_up(self) -> bool:
        """Return whether the web app answers."""
        return is_ready(f"http://127.0.0.1:{self.port}")

    def deliver(self, headers: Mapping[str, str], body: bytes) -> None:
        """Post a delivery of the local forge, and add it to `sent`."""
        self.sent.append((headers, body))
        url = f"http://127.0.0.1:{self.port}/webhooks/local"
        answer = httpx.post(url, content=body, headers=dict(headers), timeout=60, verify=trusted())
        assert answer.status_code == 202, answer.text

    def make_repo(self, name: str = REPO, files: Mapping[str, str] = CALC) -> Repo:
        """Make a repository with a maintainer (ada), a developer (wim) and a reader (tri)."""
        self.forge.create_repo(name, {"ada": "admin", "wim": "write", "tri": "read"})
        path = self.forge.path(name)
        tree = self.state_dir / "trees" / name
        for relative, text in files.items():
            (tree / relative).parent.mkdir(parents=True, exist_ok=True)
            (tree / relative).write_text(text)
        git("add", "--all", git_dir=path, work_tree=tree)
        git("commit", "--quiet", "--message", "Begin", git_dir=path, work_tree=tree)
        return Repo(full_name=name)

    def script(self, specify: list[Turn], implement: list[Turn]) -> None:
        """Set the model's next turns for each of the two phases."""
        self.chat.specify, self.chat.implement = specify, implement

    def runs_on(self, repo: Repo, kind: str, number: int) -> list[str]:
        """Return the ids of the runs on an issue or pull request, newest first."""
        target = f"local:{repo.full_name}:{kind}:{number}"
        return [row.id for row in self.store.list_runs(target=target)]

    def state(self, run_id: str) -> RunState:
        """Return a run's state. Tests ask again and again, so only new entries of its log are read."""
        known = self._states.get(run_id, RunState())
        new = self.store.entries(run_id, known.seq)
        if new:
            self._states[run_id] = known = fold(new, known)
        return known

    def finished(self, repo: Repo, kind: str, number: int, seconds: float = HANG_S) -> RunState:
        """Wait until the newest run on a target has ended and its status comment says so.

        Returns its state.
        """

        def ended() -> RunState | None:
            self.group.check()
            found = self.runs_on(repo, kind, number)
            state = self.state(found[0]) if found else RunState()
            return state if state.status != "active" and self.store.reports.is_current(found[0]) else None

        return wait_until(ended, f"the end of the run on {kind} {number}", seconds)

    def idle(self) -> None:
        """Wait until every stored delivery is handled."""
        wait_until(lambda: not Deliveries(self.store.engine).due(-1), "an empty inbox")


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
