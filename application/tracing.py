"""The trace that the task at hand belongs to, so that what it asks of others can be found beside it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from domain.trace import Trace

TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""The trace of the request that this task answers, None outside of one."""


def trace_headers() -> Mapping[str, str]:
    """What a request to another service says of the trace."""
    trace = TRACE.get()
    return {} if trace is None else {"traceparent": str(trace)}
