"""What the queue tells of its connections and consumers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.rabbitmq.line import Line
from adapters.rabbitmq.subscription import RabbitSubscription
from application.ports.readiness import Health
from application.queue_details import QueueDetails, QueueHealthState, Subscribed


def queue_details(
    lines: Sequence[Line],
    subscriptions: Iterable[RabbitSubscription],
    health: Health,
    *,
    received_at: float | None,
) -> QueueDetails:
    """The details that go with a health; ``received_at`` is the last message of subscriptions that are over."""
    is_reconnecting = any(line.is_reconnecting for line in lines)
    return QueueDetails(
        state=_state(health, is_reconnecting=is_reconnecting),
        is_connected=all(line.present is not None for line in lines),
        subscriptions=[
            Subscribed(queue=one.queue.name, is_active=one.consumer is not None, received_at=one.received_at)
            for one in subscriptions
        ],
        received_at=received_at,
        reconnect_attempts=max(line.attempts for line in lines),
        is_reconnecting=is_reconnecting,
    )


def _state(health: Health, *, is_reconnecting: bool) -> QueueHealthState:
    if is_reconnecting:
        return QueueHealthState.RECONNECTING
    if health is Health.UNHEALTHY:
        return QueueHealthState.STALLED
    return QueueHealthState(health.value)
