"""Who belongs to a team, as `may: {command: [team:…]}` asks GitHub and GitLab."""

from pathlib import Path

import pytest

from bot.config.settings import Settings
from bot.forges.forge import Account, ForgeDenied, Repo
from bot.forges.github.adapter import github_forge
from bot.forges.gitlab.adapter import gitlab_forge
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import INSTALLATION
from tests.standins.gitlab_server import GitLabServer

FILES = {"a.txt": "a\n"}
NOWHERE = "http://127.0.0.1:9/none"


def test_a_team_of_githubs_organisation(tmp_path: Path) -> None:
    with GitHubServer(tmp_path, FILES, NOWHERE, "unused") as server:
        forge = github_forge(Settings.model_validate({"state_dir": tmp_path, **server.settings()}))
        repo = Repo(full_name=server.repo, installation=INSTALLATION)
        server.teams["leads"] = ["ada"]
        with pytest.raises(ForgeDenied):
            forge.in_team(repo, _person(server, "ada"), "leads")
        server.granted["members"] = "read"
        assert forge.in_team(repo, _person(server, "ada"), "leads")
        assert not forge.in_team(repo, _person(server, "wim"), "leads")
        assert not forge.in_team(repo, _person(server, "ada"), "others")


def test_a_group_of_gitlab(tmp_path: Path) -> None:
    with GitLabServer(tmp_path, FILES, NOWHERE, "unused") as server:
        forge = gitlab_forge(Settings.model_validate({"state_dir": tmp_path, **server.settings()}))
        repo = Repo(full_name=server.repo)
        server.teams["leads"] = ["ada"]
        ada, wim = (Account(id=server.people[name]["id"], login=name) for name in ("ada", "wim"))
        assert forge.in_team(repo, ada, "leads")
        assert not forge.in_team(repo, wim, "leads")
        assert not forge.in_team(repo, ada, "others")


def _person(server: GitHubServer, login: str) -> Account:
    return Account(id=server._people[login][0]["id"], login=login)
