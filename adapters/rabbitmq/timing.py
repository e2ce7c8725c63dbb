"""How long is waited for a broker, and how often it is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """All in seconds.

    Between two attempts to connect the pause is random, up to a ceiling that doubles from ``first_pause`` to
    ``longest_pause``. A broker that answers nothing for ``answer`` is taken for gone; ``watch`` is how often it is
    asked. ``publish`` is for a whole call, the wait for a reconnection and all confirmations included. After
    ``heartbeat`` without a word the broker, too, begins to take us for gone.
    """

    heartbeat: int = 10
    connect: float = 5.0
    open: float = 10.0
    answer: float = 5.0
    watch: float = 5.0
    publish: float = 30.0
    first_pause: float = 0.2
    longest_pause: float = 5.0
    settled_after: float = 5.0
    """A connection that held for so long begins anew with short pauses when it is lost."""
