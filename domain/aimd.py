"""Additive increase, multiplicative decrease: how many things may be at work at once, found by trying.

Whoever shares something of unknown capacity comes to a fair and efficient share by adding one while all is well and
taking a share away when it is not. Source: D.-M. Chiu and R. Jain, "Analysis of the Increase and Decrease Algorithms
for Congestion Avoidance in Computer Networks", Computer Networks and ISDN Systems 17 (1989). That a limit rises only
while it is in use is from RFC 7661 (congestion windows of applications that send little) and Netflix's
concurrency-limits (``AIMDLimit``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from domain.errors import Invalid

SHORTEST_ROUND_SECONDS = 0.2
"""A limit is not looked at more often than this, so that one commit or garbage collection does not decide it."""


class InvalidLimits(Invalid):
    """A concurrency limit has a floor of at least 1, a maximum not below it, and falls to a share of itself."""

    code = "invalid_limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aimd:
    """The steps of a limit between ``floor`` and ``most``: up by one, down to ``share`` of what it was."""

    most: int
    floor: int = 1
    share: float = 0.5

    def __post_init__(self) -> None:
        if not (1 <= self.floor <= self.most and 0 < self.share < 1):
            raise InvalidLimits

    def within(self, limit: int) -> int:
        """The nearest limit that is allowed."""
        return max(self.floor, min(self.most, limit))

    def raised(self, limit: int) -> int:
        """One more, if allowed."""
        return self.within(limit + 1)

    def lowered(self, limit: int) -> int:
        """A share of it, at least one less, if allowed."""
        return self.within(min(limit - 1, math.floor(limit * self.share)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTarget:
    """Steers a route's concurrency so that a message takes ``milliseconds`` on average, and no longer.

    A route has few slots, mostly five to twenty: steps of a tenth, as large pools use, would fall as slowly as
    they rise, and halving would idle the route. So a step down leaves three quarters.
    """

    milliseconds: float
    limits: Aimd

    @classmethod
    def of(cls, milliseconds: float, *, most: int) -> LatencyTarget:
        """The target of a route that may use up to ``most`` slots."""
        return cls(milliseconds=milliseconds, limits=Aimd(most=most, share=0.75))

    def is_due(self, limit: int, *, samples: int, seconds: float) -> bool:
        """Whether enough was measured to decide: a message for every slot, and not in too short a time."""
        return samples >= limit and seconds >= SHORTEST_ROUND_SECONDS

    def steered(self, limit: int, *, latency_ms: float, was_full: bool) -> int:
        """The limit for the next round, after one with this mean latency.

        Too slow: lowered. Quick enough: raised if at some moment every slot was taken, else left as it is, since
        nothing was learnt about a higher one.
        """
        if latency_ms > self.milliseconds:
            return self.limits.lowered(limit)
        return self.limits.raised(limit) if was_full else self.limits.within(limit)
