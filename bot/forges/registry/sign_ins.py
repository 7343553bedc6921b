"""The forges with which people can sign in, by name."""

from collections.abc import Mapping

from bot.config.settings import Settings
from bot.forges.github import people as github
from bot.forges.gitlab import people as gitlab
from bot.forges.sign_in import Application


def sign_ins(settings: Settings) -> Mapping[str, Application]:
    """Return how people sign in with each forge whose client id and secret the settings hold."""
    found = {"github": github.sign_in(settings), "gitlab": gitlab.sign_in(settings)}
    return {name: each for name, each in found.items() if each is not None}
