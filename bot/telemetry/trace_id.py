"""The id of a run's trace: the 128 bits of the run's ULID.

So every process, also one that continues the run on another day, knows it without asking.
https://opentelemetry.io/docs/specs/otel/trace/api/#spancontext and https://github.com/ulid/spec
"""

import os

from ulid import ULID

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def trace_id(run_id: str) -> str:
    """Return the trace id of a run, in 32 hexadecimal digits. Raises `ValueError` if `run_id` is no ULID."""
    return ULID.from_str(run_id).hex


def tracing_is_on() -> bool:
    """Return whether OpenTelemetry's variables say where traces go."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(os.environ.get(name) for name in _ENDPOINTS)
