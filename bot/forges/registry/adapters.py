"""Builds the adapters of the configured forges, once each."""

from typing import TYPE_CHECKING

from bot.config.settings import Settings
from bot.forges.backlog import Backlog
from bot.forges.forge import Forge
from bot.storage.store import Store
from gherkin.errors import ScenaristError

if TYPE_CHECKING:
    from bot.forges.github.app import AppTokens


class ForgeNotConfigured(ScenaristError):
    """A run or delivery names a forge this process has no settings for."""

    code = "SCN-7003"
    next_step = "Set the forge's credentials in the environment of the intake and publish workers."


class Forges:
    """The forges by name. Only trusted workers have one of these."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._built: dict[str, Forge] = {}
        self._app: AppTokens | None = None

    def __call__(self, name: str) -> Forge:
        """Return the adapter of `name`. Raises `ForgeNotConfigured`."""
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def backlog(self, name: str) -> Backlog:
        """Return the adapter of `name`, for making issues. Raises `ForgeNotConfigured`."""
        found = self(name)
        if not isinstance(found, Backlog):
            raise ForgeNotConfigured(f"No issues can be made on {name}.")
        return found

    def ask_again(self) -> int:
        """Ask the forges for events that they could not deliver; returns how many there were."""
        if not self._settings.github_app_id:
            return 0
        if self._app is None:
            from bot.forges.github.app import app_of

            self._app = app_of(self._settings)
        return self._app.ask_again()

    def _build(self, name: str) -> Forge:
        settings = self._settings
        if name == "local":
            from bot.forges.local.adapter import LocalForge

            return LocalForge(self._store.engine, settings.state_dir.resolve() / "forge")
        if name == "github":
            from bot.forges.github.adapter import github_forge

            return github_forge(settings)
        if name == "gitlab":
            from bot.forges.gitlab.adapter import gitlab_forge

            return gitlab_forge(settings)
        raise ForgeNotConfigured(f"There is no forge called {name}.")
