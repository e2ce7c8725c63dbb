"""When a delivery is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """The seconds after each failed attempt; the failure after the last of them is the end.

    Up to ``jitter`` of a delay is added by chance, so that what failed together does not come back together.
    """

    delays: Sequence[float] = (60.0, 300.0, 1800.0, 7200.0, 43_200.0)
    jitter: float = 0.1

    @property
    def attempts(self) -> int:
        """How many attempts there are in all."""
        return len(self.delays) + 1

    def delay(self, failures: int, *, randomness: float, retry_after: float | None = None) -> float | None:
        """Seconds to wait after the n-th failure in a row, None when it was the last attempt.

        At least what the receiver asks for, up to a day.
        """
        if failures > len(self.delays):
            return None
        planned = self.delays[failures - 1] * (1.0 + self.jitter * randomness)
        return max(planned, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


NO_RETRIES = RetrySchedule(delays=())
"""For what somebody is waiting to see: a test is tried once."""


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """The seconds that ``Retry-After`` asks for, as seconds or as a date (RFC 9110, section 10.2.3); None for nonsense."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
