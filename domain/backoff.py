"""How long to wait before the next attempt."""

from __future__ import annotations

MAX_DELAY_SECONDS = 3600.0


def full_jitter(base_seconds: float, retries: int, randomness: float) -> float:
    """Seconds to wait after ``retries`` failed tries: uniform in [0, base · 2^retries], capped at an hour.

    ``randomness`` is uniform in [0, 1). Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    ceiling = min(base_seconds * 2.0 ** min(retries, 62), MAX_DELAY_SECONDS)
    return ceiling * randomness
