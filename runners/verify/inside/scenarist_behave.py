"""A behave formatter that writes one JSON line a scenario. It runs inside the sandbox, beside the
repository's code, and imports nothing of Scenarist.

behave's own JSON formatter mixes up statuses when a Rule inherits a Background.
"""

import json
from typing import Any

from behave.formatter.base import Formatter


class ReportFormatter(Formatter):  # type: ignore[misc]
    name = "scenarist"
    description = "one JSON line a scenario"

    def __init__(self, stream_opener: Any, config: Any) -> None:
        super().__init__(stream_opener, config)
        self.stream = self.open()
        self.current: Any = None

    def feature(self, feature: Any) -> None:
        self.current = feature

    def eof(self) -> None:
        for scenario in self.current.walk_scenarios():
            self.stream.write(json.dumps(describe(scenario)) + "\n")
        self.stream.flush()


def describe(scenario: Any) -> dict[str, Any]:
    steps = list(scenario.all_steps)
    bad = next((s for s in steps if s.status.name not in ("passed", "untested", "skipped")), None)
    return {
        "path": str(scenario.filename),
        "line": scenario.line,
        "name": scenario.name,
        "status": scenario.status.name,
        "steps": len(steps),
        "step": f"{bad.keyword} {bad.name}" if bad else "",
        "step_status": bad.status.name if bad else "",
        "message": message_of(bad or scenario),
    }


def message_of(thing: Any) -> str:
    return str(getattr(thing, "error_message", None) or getattr(thing, "exception", None) or "")[-4000:]
