"""When an endpoint has failed for so long that it is warned of, and then disabled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.circuit_breaker import BreakerRules

DISABLED_BY_HAND = "disabled by hand"
DISABLED_AS_GONE = "the endpoint answered 410 Gone"

ENDPOINT_BREAKER = BreakerRules(
    window=20, threshold=0.5, least_results=5, open_seconds=30.0, longest_seconds=600.0
)
"""When an endpoint is left alone for a while: half of the last twenty attempts, of at least five, did not get through."""


class Care(StrEnum):
    """What a failing endpoint calls for."""

    NOTHING = "nothing"
    WARN = "warn"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableRules:
    """Every attempt has failed for so many seconds: then it is warned of, once, and later disabled.

    From the warning to the end there is always as long as lies between the two, however seldom there is something to send.
    """

    warn_after: float = 2.5 * 86_400.0
    disable_after: float = 5.0 * 86_400.0

    def care(self, failing_since: datetime, warned_at: datetime | None, *, now: datetime) -> Care:
        """What is to be done after a failed attempt: never disabled before it was warned of."""
        seconds = (now - failing_since).total_seconds()
        if warned_at is None:
            return Care.WARN if seconds >= self.warn_after else Care.NOTHING
        since_warned = (now - warned_at).total_seconds()
        is_over = seconds >= self.disable_after and since_warned >= self.disable_after - self.warn_after
        return Care.DISABLE if is_over else Care.NOTHING
