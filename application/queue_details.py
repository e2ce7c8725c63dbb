"""What a message queue tells of itself beside its health: its connection, and who is given messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.json import JsonObject


class QueueHealthState(StrEnum):
    """How the queue fares; the values are those of the wire.

    ``stalled`` has a connection over which no answer comes, or none and no attempt at one; ``reconnecting`` tries.
    """

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    STALLED = "stalled"
    RECONNECTING = "reconnecting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """A subscription of this process. ``received_at`` is when it was last given a message, on a monotonic clock."""

    queue: str
    is_active: bool = True
    received_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDetails:
    """What ``/system/health?debug`` shows. ``received_at`` is the last message of subscriptions that are over.

    ``reconnect_attempts`` are those since there was a connection.
    """

    state: QueueHealthState
    is_connected: bool
    subscriptions: Sequence[Subscribed]
    received_at: float | None = None
    reconnect_attempts: int = 0
    is_reconnecting: bool = False

    def told(self, *, now: float) -> JsonObject:
        """As JSON. A subscription's id is its queue's name, numbered where there are several."""
        named = _named(self.subscriptions)
        last = latest(self.received_at, *(one.received_at for one in self.subscriptions))
        return {
            "connected": self.is_connected,
            "health_state": self.state.value,
            "last_message_age_seconds": _age(last, now),
            "reconnect_attempts": self.reconnect_attempts,
            "reconnect_in_progress": self.is_reconnecting,
            "active_subscriptions": [name for name, one in named.items() if one.is_active],
            "subscription_states": {name: _told(one, now) for name, one in named.items()},
        }


def latest(*moments: float | None) -> float | None:
    """The latest of those that there are."""
    return max((moment for moment in moments if moment is not None), default=None)


def _named(subscriptions: Sequence[Subscribed]) -> Mapping[str, Subscribed]:
    named: dict[str, Subscribed] = {}
    seen: Counter[str] = Counter()
    for one in sorted(subscriptions, key=lambda one: one.queue):
        seen[one.queue] += 1
        named[one.queue if seen[one.queue] == 1 else f"{one.queue}#{seen[one.queue]}"] = one
    return named


def _told(one: Subscribed, now: float) -> JsonObject:
    return {
        "state": "active" if one.is_active else "reconnecting",
        "queue": one.queue,
        "last_message_age_seconds": _age(one.received_at, now),
    }


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - moment)
