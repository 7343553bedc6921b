"""The pull request that a repository gets when the App is installed on it: once, and nothing else.

Against the stand-in, over real sockets: REST, signed webhooks, git over HTTP.
"""

import json
from collections.abc import Iterator

import pytest

from bot.behaviours.onboarding import BRANCH, onboarding
from bot.config.repository import parse_config
from bot.log.state import RunState
from bot.worker.processes import free_port
from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.github_server import GitHubServer
from tests.support.harness import CALC, BotUnderTest
from tests.support.on_github import SECRET, Both
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("onboarding")

FILES = {name: text for name, text in CALC.items() if name != ".scenarist.yml"}
TARGET = "github:octo/calc:onboarding"


@pytest.fixture
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("onboarding")
    port = free_port()
    with (
        GitHubServer(folder, FILES, f"http://127.0.0.1:{port}/webhooks/github", SECRET) as github,
        BotUnderTest({**github.settings(), "lease_seconds": 2.0}, port) as bot,
    ):
        yield github, bot
        assert github.violations == []


def installed(github: GitHubServer, event: str = "installation") -> None:
    """Say that the App was installed on the repository."""
    listed = [{"id": 1, "full_name": "octo/calc", "name": "calc", "private": False}]
    if event == "installation":
        github.send("installation", "created", "ada", repositories=listed)
    else:
        github.send("installation_repositories", "added", "ada", repositories_added=listed)


def ended(bot: BotUnderTest, count: int = 1) -> RunState:
    """The end of the newest of `count` runs."""
    wait_until(lambda: len(bot.store.list_runs(target=TARGET)) == count, "the run")
    newest = bot.store.list_runs(1, target=TARGET)[0].id
    wait_until(lambda: bot.state(newest).status != "active", "its end")
    return bot.state(newest)


def test_an_installation_leads_to_one_pull_request_with_a_configuration_that_works(both: Both) -> None:
    github, bot = both
    before = len(github.comments)
    installed(github)
    state = ended(bot)
    assert state.status == "done", (state.code, state.reason)
    (pull,) = github.pulls.values()
    assert (pull["head"], pull["base"]) == (BRANCH, "main")
    assert state.survey is not None
    counts = {suite.name: suite.counts for suite in state.survey.suites}
    assert counts["pytest"].passed > 0 and not counts["pytest"].failed
    assert f"| `pytest` | {counts['pytest'].total} |" in pull["body"]
    assert "agent:implement" in pull["body"] and "not be opened again" in pull["body"]
    changed = git("show", "--name-only", "--format=", pull["sha"], git_dir=github.bare).split()
    assert changed == [".scenarist.yml"]
    text = git("show", f"{pull['sha']}:.scenarist.yml", git_dir=github.bare)
    assert parse_config(text).version == 1 and "pytest: 1 tests, 1 passed" in text
    assert len(github.comments) == before, "nothing else is said"

    installed(github, "installation_repositories")
    bot.idle()
    assert len(bot.store.list_runs(target=TARGET)) == 1, "it is looked at once"

    github.close_pull(next(iter(github.pulls)), delete_branch=True)
    request, target = onboarding("github", "octo/calc", 0, "the operator")
    again = request.model_copy(update={"key": ""})
    assert bot.store.request_run(again, target=target, exclusive=True)
    state = ended(bot, 2)
    assert state.status == "gave_up" and "is closed" in state.reason
    assert len(github.pulls) == 1, "what was closed is not opened again"


def test_the_pull_request_proposes_the_set_up_that_a_model_found() -> None:
    commands = ["pip install cowsay"]
    with BotUnderTest() as bot:
        repo = bot.make_repo("octo/said", {"test_a.py": "import cowsay\n\n\ndef test_a():\n    pass\n"})
        bot.script([Reply(text=json.dumps({"commands": commands}))], [])
        request, target = onboarding("local", repo.full_name, 0, "ada")
        run = bot.store.request_run(request, target=target, exclusive=True)
        assert run is not None
        wait_until(lambda: bot.state(run).status != "active", "its end")
        state = bot.state(run)
        assert state.status == "done" and state.survey is not None, state.reason
        assert state.published is not None
        pull = bot.forge.pull(repo, state.published.pull)
        text = git("show", f"{pull.head}:.scenarist.yml", git_dir=bot.forge.path(repo.full_name))
    assert list(parse_config(text).setup) == commands
    assert "because tests lacked modules." in pull.body
