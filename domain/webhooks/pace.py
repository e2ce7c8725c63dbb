"""How often an endpoint may be asked: a token bucket. Source: J. Turner, "New Directions in Communications", 1986."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """So many requests a second in the long run, and up to a second's worth at once, at least one.

    ``tokens`` are what may be taken at the moment ``at``, in seconds of a clock that never goes back.
    """

    per_second: float
    tokens: float
    at: float

    @classmethod
    def of(cls, per_second: float, now: float) -> Pace:
        """A full bucket."""
        return cls(per_second=per_second, tokens=max(1.0, per_second), at=now)

    def room(self, now: float) -> int:
        """How many may be sent now."""
        return int(self._filled(now) + 1e-9)

    def taken(self, count: int, now: float) -> Pace:
        """The bucket after so many."""
        return replace(self, tokens=self._filled(now) - count, at=now)

    def waits(self, now: float) -> float:
        """Seconds until one may be sent."""
        return max(0.0, (1.0 - self._filled(now)) / self.per_second)

    def _filled(self, now: float) -> float:
        return min(max(1.0, self.per_second), self.tokens + max(0.0, now - self.at) * self.per_second)
