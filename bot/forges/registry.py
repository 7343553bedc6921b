"""Builds the adapters of the configured forges, once each."""

from bot.forges.forge import Forge
from bot.runs.store import Store
from bot.settings import Settings
from gherkin.errors import ScenaristError


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

    def __call__(self, name: str) -> Forge:
        """The adapter of `name`. Raises `ForgeNotConfigured`."""
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> Forge:
        settings = self._settings
        if name == "local":
            from bot.forges.local import LocalForge

            return LocalForge(self._store.engine, settings.state_dir.resolve() / "forge")
        if name == "github":
            from bot.forges.github import github_forge

            return github_forge(settings)
        raise ForgeNotConfigured(f"There is no forge called {name}.")
