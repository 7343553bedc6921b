"""GitHub's recorded webhook payloads (npm `@octokit/webhooks-examples`), from github.com and its servers."""

import json
from collections.abc import Iterator
from typing import Any

from tests.standins.npm import PAYLOADS

COUNT = 329  # of api.github.com


def payloads() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(server, event, payload) of every recorded delivery."""
    root = PAYLOADS.folder
    for index in sorted(root.glob("*/index.json")):
        for event in json.loads(index.read_text()):
            for payload in event["examples"]:
                yield index.parent.name, event["name"], payload
