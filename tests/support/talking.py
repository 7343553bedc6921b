"""A model that is interrupted, for tests in which people talk with a run that is worked on elsewhere."""

import threading
from typing import Any

from runners.models.chat import Reply
from tests.support.harness import BotUnderTest, doubling, draft
from tests.support.waiting import HANG_S


class InterruptedModel:
    """Scripts `bot` to implement doubling. The first request for code is not answered before `go_on` is set.

    `began` is set when it arrives; `requests` are this one and those that ask for the same turn again.
    """

    def __init__(self, bot: BotUnderTest) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.requests: list[dict[str, Any]] = []
        first, *rest = doubling()
        assert isinstance(first, Reply)

        def waits(request: dict[str, Any]) -> Reply:
            self.requests.append(request)
            if len(self.requests) == 1:
                self.began.set()
                self.go_on.wait(HANG_S)
            return first

        bot.script([draft()], [waits, *rest])
