"""How often somebody may ask: a token bucket, as in RFC 2698's meter with one rate."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucket:
    """``capacity`` requests at once, then ``per_second``; ``at`` is when there were ``tokens``, in seconds."""

    capacity: float
    per_second: float
    tokens: float
    at: float

    @classmethod
    def per_minute(cls, requests: int, *, at: float) -> TokenBucket:
        """A full bucket that lets so many requests a minute pass, and as many at once."""
        return cls(capacity=requests, per_second=requests / 60, tokens=requests, at=at)

    def taken(self, at: float) -> tuple[TokenBucket, float]:
        """The bucket after one request, and 0; or the bucket as it is, and after how many seconds it has room again."""
        passed = max(0.0, at - self.at)
        tokens = min(self.capacity, self.tokens + passed * self.per_second)
        after = replace(self, tokens=tokens, at=max(at, self.at))
        if tokens < 1:
            return after, (1 - tokens) / self.per_second
        return replace(after, tokens=tokens - 1), 0.0
