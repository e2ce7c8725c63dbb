"""Time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits; a test double makes hours pass at once."""

    def now(self) -> datetime:
        """The present moment, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment of its own: to measure with, as it never goes back when the time of day is set."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds; a cancelled sleep raises CancelledError at once."""
        ...
