"""The audit trail: every tool call of a run, who made it and what came of it, each entry linked to the one before.

An entry holds the hash of its own content and of the entry before it, so one that is altered, left out, added or
moved breaks the chain from there on. The hash of the last entry stands in the commit's event and in the pull request,
where whoever can write the database cannot change it: that is what a shortened trail is noticed by.
"""

import hashlib
import json
from collections.abc import Sequence

from gherkin.values import Frozen
from runners.contract.events import ToolCalled
from runners.policy.capabilities import Role
from runners.policy.redact import Redactor

GENESIS = "0" * 64


class Broken(Frozen):
    """Where a trail does not hold: the entry's number from 1, and what is wrong with it in a sentence."""

    entry: int
    reason: str


class Trail:
    """Makes the entries of one run. `last` is the hash of the newest one there is."""

    def __init__(self, role: Role, redactor: Redactor, last: str = GENESIS) -> None:
        self._role = role
        self._redactor = redactor
        self.last = last

    def entry(self, call: ToolCalled) -> ToolCalled:
        """`call` as the trail's next entry: with who, without secrets in its arguments, linked and sealed."""
        arguments = self._redactor.audit(call.call.arguments)
        bare = call.model_copy(
            update={
                "call": call.call.model_copy(update={"arguments": arguments}),
                "data": self._redactor.value(call.data),
                "role": self._role,
                "prev": self.last,
                "hash": "",
            }
        )
        self.last = digest(bare)
        return bare.model_copy(update={"hash": self.last})


def digest(entry: ToolCalled) -> str:
    """The SHA-256 of an entry without its own hash, in hex. Fields that are not set do not count."""
    content = entry.model_dump(mode="json", exclude={"hash"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def head(entries: Sequence[ToolCalled]) -> str:
    """The hash of the newest entry."""
    return entries[-1].hash if entries else GENESIS


def verify(entries: Sequence[ToolCalled], anchor: str | None = None) -> Broken | None:
    """The first place where the trail does not hold, None if all of it does.

    `anchor` is a hash noted elsewhere, which must be among the entries' own.
    """
    prev = GENESIS
    for number, entry in enumerate(entries, 1):
        if not entry.hash:
            return Broken(entry=number, reason="It is not sealed.")
        if entry.hash != digest(entry):
            return Broken(entry=number, reason="It was altered: its content is not what its hash says.")
        if entry.prev != prev:
            return Broken(
                entry=number, reason="It does not follow the entry before it: one was removed or added."
            )
        prev = entry.hash
    if anchor is not None and anchor != GENESIS and anchor not in {entry.hash for entry in entries}:
        return Broken(
            entry=len(entries) + 1, reason="The trail is shorter than what was noted of it elsewhere."
        )
    return None
