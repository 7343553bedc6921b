"""The log of a process: one line an entry, as text or JSON, with what it is about and without secrets.

All code logs with Python's own `logging`. What an entry is about (`run`, `phase`, `repository`, `delivery`)
is bound with structlog's context variables where the work begins.
"""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.config.settings import Settings, secret_variables
from bot.telemetry.trace_id import trace_id, tracing_is_on
from runners.policy.redact import Redactor, redactor

# Text of strangers must not begin a line of its own in the log, nor move a terminal's cursor.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127)} | {10: "\\n"}


class _Redaction:
    """A structlog processor that removes secrets from every text of an entry, its stack trace included."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._redactor = Redactor()

    def add(self, values: Iterable[str | None]) -> None:
        self._values |= {value for value in values if value}
        self._redactor = redactor(self._values)

    def __call__(self, _logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
        clean = self._redactor.line
        return {key: clean(value) if isinstance(value, str) else value for key, value in entry.items()}


_redaction = _Redaction()


def hide(values: Iterable[str | None]) -> None:
    """Remove these values, too, from all that this process logs from now on."""
    _redaction.add(values)


def start_logging(settings: Settings, file: Path | None = None) -> None:
    """Log warnings, and the bot's own information, to standard error or to `file`."""
    hide([*settings.secrets, *secret_variables(os.environ)])
    handler = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(settings.log_format))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("bot").setLevel(logging.INFO)
    logging.captureWarnings(True)


def formatter(kind: str) -> logging.Formatter:
    """Return the formatter of entries as ``json`` or as text (``console``)."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace,
    ]
    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False) if kind == "json" else _as_text
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redaction,
            last,
        ],
    )


def _with_trace(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """Add the id of the run's trace where traces are on, and leave out what is not known."""
    entry = {key: value for key, value in entry.items() if value != ""}
    run = entry.get("run")
    if isinstance(run, str) and tracing_is_on():
        entry["trace_id"] = trace_id(run)
    return entry


def _as_text(_logger: WrappedLogger, _method: str, entry: EventDict) -> str:
    """Return an entry as one line: time, level, logger, message, what it is about; then a stack trace."""
    trace = entry.pop("exception", "")
    head = [entry.pop(name, "") for name in ("timestamp", "level", "logger", "event")]
    about = " ".join(f"{name}={value}" for name, value in sorted(entry.items()))
    line = f"{head[0]} {str(head[1]).upper()} {head[2]}: {head[3]}" + (f" [{about}]" if about else "")
    return line.translate(_ESCAPES) + (f"\n{trace}" if trace else "")
