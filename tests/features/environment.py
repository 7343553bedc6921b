"""One bot for all scenarios, a repository for each."""

from typing import Any

from tests.support.harness import BotUnderTest


def before_all(context: Any) -> None:
    context.bot = BotUnderTest().__enter__()


def after_all(context: Any) -> None:
    context.bot.__exit__(None, None, None)


def before_scenario(context: Any, scenario: Any) -> None:
    context.repo = context.bot.make_repo(f"octo/s{abs(scenario.line)}-{scenario.feature.line}")
    context.state = None
