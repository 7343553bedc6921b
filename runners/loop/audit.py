"""The audit trail: every tool call of a run, with its role and result, each entry linked to the one before.

An entry holds the hash of its own content and of the entry before it. An entry that is altered, removed,
added or moved breaks the chain. The hash of the last entry is also in the commit's event and in the pull
request, where somebody who can write to the database cannot change it. A shortened trail is noticed by that
hash.
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
    """Where a trail is broken: the number of the entry, from 1, and one sentence on what is wrong."""

    entry: int
    reason: str


class Trail:
    """Makes the entries of one run. `last` is the hash of the newest entry."""

    def __init__(self, role: Role, redactor: Redactor, last: str = GENESIS) -> None:
        self._role = role
        self._redactor = redactor
        self.last = last

    def entry(self, call: ToolCalled) -> ToolCalled:
        """Return `call` as the next entry: with its role and hashes, and without secrets in its arguments."""
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
    """Return the SHA-256 of an entry, in hex, without its own hash and without fields that are not set."""
    content = entry.model_dump(mode="json", exclude={"hash", "candidate"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def head(entries: Sequence[ToolCalled]) -> str:
    """Return the hash of the newest entry."""
    return entries[-1].hash if entries else GENESIS


def verify(entries: Sequence[ToolCalled], anchor: str | None = None) -> Broken | None:
    """Return the first place where the trail is broken, or None.

    `anchor` is a hash noted elsewhere, which must be among the entries' own.
    """
    # Candidates that are made side by side have a chain each, which goes on from the run's own.
    newest = {0: GENESIS}
    for number, entry in enumerate(entries, 1):
        if not entry.hash:
            return Broken(entry=number, reason="It is not sealed.")
        if entry.hash != digest(entry):
            return Broken(entry=number, reason="It was altered: its content is not what its hash says.")
        if entry.prev != newest.get(entry.candidate, newest[0]):
            return Broken(
                entry=number, reason="It does not follow the entry before it: one was removed or added."
            )
        newest[entry.candidate] = entry.hash
    if anchor is not None and anchor != GENESIS and anchor not in {entry.hash for entry in entries}:
        return Broken(
            entry=len(entries) + 1,
            reason="The trail is shorter than before: it lacks the hash noted elsewhere.",
        )
    return None
