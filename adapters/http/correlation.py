"""The id of the request at hand: it goes into answers, problems and log records."""

from __future__ import annotations

import logging
import os
import re
from contextvars import ContextVar

from domain.trace import SPAN_BYTES, TRACE_BYTES, Trace

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this task answers, empty outside of one."""

REQUEST_ID_BYTES = 16
FETCHED_BYTES = 4096
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


class Randomness:
    """Bytes of the system's randomness, fetched many at a time: a call into the kernel costs more than an id."""

    def __init__(self) -> None:
        self._bytes, self._at = b"", 0

    def take(self, count: int) -> bytes:
        """So many that nobody has had."""
        if self._at + count > len(self._bytes):
            self._bytes, self._at = os.urandom(FETCHED_BYTES), 0
        self._at += count
        return self._bytes[self._at - count : self._at]


_RANDOMNESS = Randomness()


def request_id(given: bytes) -> str:
    """The client's ``X-Request-Id`` if it has 1 to 128 printable ASCII characters, else a new one."""
    if given and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return _RANDOMNESS.take(REQUEST_ID_BYTES).hex()


def trace_of(given: bytes) -> Trace:
    """Our step in the trace that the client names with ``traceparent``, or in one that begins here."""
    trace = Trace.parse(given.decode("latin-1")) if given else None
    if trace is None:
        return Trace.begun(_RANDOMNESS.take(TRACE_BYTES + SPAN_BYTES))
    return trace.step(_RANDOMNESS.take(SPAN_BYTES))


class RequestIdFilter(logging.Filter):
    """Gives log records the attribute ``correlation_id``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with the id of the request in whose task it was made."""
        record.correlation_id = getattr(record, "correlation_id", None) or REQUEST_ID.get()
        return True
