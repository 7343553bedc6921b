"""Send the traces of runs to a collector, by OTLP over HTTP. Needs the packages of `scenarist[otel]`.

Where to and how is said by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and others):
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import atexit
import threading
from collections import OrderedDict

import sqlalchemy as sa
from celery.signals import worker_process_shutdown
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from bot import __version__
from bot.storage.observers import Appended
from bot.storage.store import Store
from bot.telemetry.spans import RunTrace, Span
from bot.telemetry.trace_id import trace_id

_MOST_RUNS = 100
# Two threads of a worker may append at the same time; this many spans of the other one are kept for it.
_MOST_KEPT = 50


class RunTracer:
    """Exports the spans that end with what this process appends; others export theirs."""

    def __init__(self, engine: sa.Engine) -> None:
        self._store = Store(engine)
        self._lock = threading.Lock()
        self._traces: OrderedDict[str, tuple[RunTrace, dict[int, list[Span]]]] = OrderedDict()
        self._resource = Resource.create({"service.name": "scenarist", "service.version": __version__})
        self._scope = InstrumentationScope("scenarist", __version__)
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        atexit.register(self._processor.shutdown)
        worker_process_shutdown.connect(lambda **_: self._stop(), weak=False)

    def _stop(self) -> None:
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def __call__(self, appended: Appended) -> None:
        """Export the spans that end with new entries."""
        with self._lock:
            trace, kept = self._traces.setdefault(appended.run_id, (RunTrace(appended.run_id), {}))
            self._traces.move_to_end(appended.run_id)
            if len(self._traces) > _MOST_RUNS:
                self._traces.popitem(last=False)
            first = appended.entries[0].seq
            if first > trace.seq + 1:
                missing = self._store.entries(appended.run_id, after=trace.seq, most=first - trace.seq - 1)
                for entry in missing:
                    kept[entry.seq] = trace.feed(entry)
            for entry in appended.entries:
                spans = trace.feed(entry) if entry.seq > trace.seq else kept.pop(entry.seq, [])
                for span in spans:
                    self._processor.on_end(self._finished(appended.run_id, span))
            for seq in sorted(kept)[:-_MOST_KEPT]:
                del kept[seq]

    def _finished(self, run_id: str, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=self._context(run_id, span.id),
            parent=None if span.parent is None else self._context(run_id, span.parent),
            resource=self._resource,
            attributes=span.attributes | ({"error.type": span.error} if span.error else {}),
            kind=SpanKind.CLIENT if span.asks_model else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=int(span.start * 1e9),
            end_time=int(span.end * 1e9),
            instrumentation_scope=self._scope,
        )

    @staticmethod
    def _context(run_id: str, span_id: int) -> SpanContext:
        return SpanContext(
            int(trace_id(run_id), 16), span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        )
