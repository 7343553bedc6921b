"""`scenarist log` and `scenarist audit`: a run's log and its tool calls in lines, and whether the trail holds."""

import json
from collections.abc import Iterator, Sequence

from bot.log.events import Entry
from gherkin.errors import ScenaristError
from runners.contract.events import Committed, ToolCalled
from runners.loop.audit import head, verify
from runners.policy.plaintext import without_controls

_SHOWN = 200


class AuditBroken(ScenaristError):
    """The audit trail of a run does not hold."""

    code = "SCN-6010"
    next_step = (
        "Somebody changed the run's log: compare it with a backup, and with the hash in the pull request."
    )


def audit_lines(entries: Sequence[Entry], *, as_json: bool) -> Iterator[str]:
    """The tool calls of a run's log, each in one line of plain text or as one JSON object."""
    for entry in entries:
        event = entry.event
        if not isinstance(event, ToolCalled):
            continue
        if as_json:
            yield json.dumps({"seq": entry.seq, "at": entry.at, **event.model_dump(mode="json")})
            continue
        state = "denied" if event.denied else "ok" if event.ok else "failed"
        code = event.data.get("exit_code")
        details = [
            state,
            *([] if code is None else [f"exit {code}"]),
            f"{event.seconds:.2f} s",
            *([f"changed {', '.join(event.files_changed)}"] if event.files_changed else []),
        ]
        who = f"{event.role or '-'} {event.capability or '-'}"
        line = f"{entry.seq:4} {entry.at[11:19]} {who:16} {event.call.name} {event.call.arguments}"
        yield f"{_plain(line)[:_SHOWN]}  [{_plain('; '.join(details))}]"


def log_line(entry: Entry) -> str:
    """An entry of a run's log in one line that does nothing to a terminal."""
    text = json.dumps(entry.event.model_dump(mode="json", exclude={"type"}), ensure_ascii=False)
    return _plain(f"{entry.seq:4} {entry.at[11:19]} {entry.event.type:14} {text}")[:190]


def check_audit(entries: Sequence[Entry]) -> str:
    """A sentence on the trail that holds. Raises `AuditBroken` with the first place where it does not.

    The trail must contain every hash that the log's commits have noted of it.
    """
    calls = [entry.event for entry in entries if isinstance(entry.event, ToolCalled)]
    noted = [entry.event.audit for entry in entries if isinstance(entry.event, Committed)]
    for anchor in [*filter(None, noted), None]:
        broken = verify(calls, anchor)
        if broken is not None:
            raise AuditBroken(
                f"The audit trail breaks at tool call {broken.entry} of {len(calls)}. {broken.reason}"
            )
    return f"{len(calls)} tool calls, and the trail holds. Its newest entry is {head(calls)}."


def _plain(text: str) -> str:
    """`text` on one line, without what a terminal would act on."""
    return without_controls(text.replace("\n", " ").replace("\t", " "))
