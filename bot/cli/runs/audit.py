"""`scenarist audit`: the tool calls of a run, and whether their trail is unbroken."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from bot.cli.options import RunId
from bot.config.settings import load_settings
from bot.log.events import Entry
from bot.runs.control import RunUnknown
from bot.storage.store import open_store
from gherkin.errors import ScenaristError
from runners.contract.events import Committed, ToolCalled
from runners.loop.audit import head, verify
from runners.policy.plaintext import without_controls

_SHOWN = 200


class AuditBroken(ScenaristError):
    """The audit trail of a run was altered."""

    code = "SCN-6010"
    next_step = (
        "Somebody changed the run's log: compare it with a backup, and with the hash in the pull request."
    )


def audit(
    run: RunId,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that no entry was removed or altered.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print every tool call of a run with its role, arguments and result."""
    entries = entries_of(run)
    if verify:
        said = check_audit(entries)
        typer.echo(json.dumps({"holds": True, "said": said}) if as_json else said)
        return
    for line in audit_lines(entries, as_json=as_json):
        typer.echo(line)


def entries_of(run: str) -> list[Entry]:
    """Return the log of the run with this id. Raises `RunUnknown`."""
    entries = open_store(load_settings().database).entries(run)
    if not entries:
        raise RunUnknown(f"There is no run {run}.")
    return list(entries)


def audit_lines(entries: Sequence[Entry], *, as_json: bool) -> Iterator[str]:
    """Yield each tool call of a run's log as one line of text, or as one JSON object."""
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
        yield f"{on_one_line(line)[:_SHOWN]}  [{on_one_line('; '.join(details))}]"


def check_audit(entries: Sequence[Entry]) -> str:
    """Return a sentence on the unbroken trail. Raises `AuditBroken` with the first place where it breaks.

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
    return f"{len(calls)} tool calls, and the trail is intact. Its newest entry is {head(calls)}."


def on_one_line(text: str) -> str:
    """Return `text` on one line, without control characters."""
    return without_controls(text.replace("\n", " ").replace("\t", " "))
