"""The id of the request at hand: it goes into answers, problems and log records."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from secrets import token_bytes
from uuid import uuid4

from domain.trace import SPAN_BYTES, TRACE_BYTES, Trace

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this task answers, empty outside of one."""

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's ``X-Request-Id`` if it has 1 to 128 printable ASCII characters, else a new one."""
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else uuid4().hex


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace:
    """Our step in the trace that the client names with ``traceparent``, or in one that begins here."""
    given = next((value for name, value in headers if name == b"traceparent"), b"")
    trace = Trace.parse(given.decode("latin-1"))
    if trace is None:
        return Trace.begun(token_bytes(TRACE_BYTES + SPAN_BYTES))
    return trace.step(token_bytes(SPAN_BYTES))


class RequestIdFilter(logging.Filter):
    """Gives log records the attribute ``correlation_id``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with the id of the request in whose task it was made."""
        record.correlation_id = getattr(record, "correlation_id", None) or REQUEST_ID.get()
        return True
