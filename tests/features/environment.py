"""One bot for all scenarios; `-D forge=github` or `gitlab` takes that forge's stand-in for the conversation.

With `-D runner=kubernetes` its runs are done in Jobs of the Kubernetes stand-in.
"""

from contextlib import ExitStack
from typing import Any

from runners.git.command import git
from runners.models.chat import Reply
from tests.support.conversation import FORGES, conversation
from tests.support.harness import BotUnderTest
from tests.support.on_kubernetes import BotOnKubernetes


def before_all(context: Any) -> None:
    forge = context.config.userdata.get("forge", "local")
    assert forge in FORGES, f"{forge} is none of {', '.join(FORGES)}"
    context.stack = ExitStack()
    made = {"celery": BotUnderTest, "kubernetes": BotOnKubernetes}[
        context.config.userdata.get("runner", "celery")
    ]
    context.talk = context.stack.enter_context(conversation(forge, made=made))
    context.bot = context.talk.bot
    context.begin = git("rev-parse", "main", git_dir=context.talk.bare)


def after_all(context: Any) -> None:
    context.stack.close()


def before_scenario(context: Any, scenario: Any) -> None:
    context.state = None
    context.bot.chat.remarks = Reply(text='{"remarks": []}')
    if "conversation" in scenario.feature.tags:
        # One scenario's pushes to main are none of the next one's.
        git("update-ref", "refs/heads/main", context.begin, git_dir=context.talk.bare)
        context.asked = len(context.bot.chat.requests)
    else:
        context.repo = context.bot.make_repo(f"octo/s{abs(scenario.line)}-{scenario.feature.line}")
