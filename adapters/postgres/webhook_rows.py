"""Rows of the webhooks' tables to values, and filters to conditions on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from adapters.postgres.database import Connection
from application.ports.sealer import CannotUnseal, Sealer
from application.ports.webhook_queue import ClaimedDelivery
from domain.message import Settlement
from domain.webhooks.delivery import Answer, Attempt, Delivery, DeliveryFilter, DeliveryState
from domain.webhooks.event import WebhookEvent
from domain.webhooks.filters import EventFilter
from domain.webhooks.object_events import stage_object_created
from domain.webhooks.outcome import Failure
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import Subscription

SUBSCRIPTION_COLUMNS = """
    id, url, description, event_types, config_id, execution_id, route_id, adapter_name, sealed, requests_per_second,
    timeout_seconds, is_ordered, is_enabled, disabled_at, disabled_reason, failing_since, warned_at, version, created_at,
    updated_at
"""

DELIVERY_COLUMNS = """
    d.id, d.subscription_id, d.event_id, d.event_type, d.occurred_at, d.state, d.due_at, d.position, d.attempts,
    d.failures, d.last_status, d.last_failure, d.last_attempt_at, d.settled_at
"""

DELIVERY_WIDTH = 14

EVENT_COLUMNS = """
    e.id, e.type, e.occurred_at, e.config_id, e.execution_id, e.route_id, e.adapter_name, e.data
"""

# What an event says of its delivery too, and what is the same of all that is claimed, is not read twice.
CLAIM_COLUMNS = f"""
    d.id, d.subscription_id, d.due_at, d.position, d.attempts, d.failures, d.last_status, d.last_failure,
    d.last_attempt_at, {EVENT_COLUMNS}
"""

ATTEMPT_COLUMNS = """
    delivery_id, number, started_at, duration_ms, request_headers, status, response_headers, response_body, is_truncated,
    failure, detail
"""

PUBLISH = """
    SELECT webhook_publish(%(id)s, %(type)s, %(occurred_at)s, %(config_id)s, %(execution_id)s, %(route_id)s,
        %(adapter_name)s, %(data)s::jsonb, %(only)s)
"""

_CONDITIONS = {
    "subscription_id": "d.subscription_id = %(subscription_id)s",
    "delivery_id": "d.id = %(delivery_id)s",
    "states": "d.state = ANY (%(states)s)",
    "event_type": "d.event_type = %(event_type)s",
    "status": "d.last_status = %(status)s",
    "failure": "d.last_failure = %(failure)s",
    "since": "d.occurred_at >= %(since)s",
    "until": "d.occurred_at < %(until)s",
    "settled_before": "d.settled_at < %(settled_before)s",
}


class _SealedSecret(msgspec.Struct, array_like=True):
    text: str
    expires_at: datetime | None


class _Sealed(msgspec.Struct):
    """What of a subscription is encrypted."""

    secrets: list[_SealedSecret]
    headers: dict[str, str]


def sealed_of(subscription: Subscription, sealer: Sealer) -> bytes:
    """Secrets and headers, sealed for this very subscription."""
    secrets = [_SealedSecret(one.text, one.expires_at) for one in subscription.secrets]
    content = msgspec.json.encode(_Sealed(secrets=secrets, headers=dict(subscription.headers)))
    return sealer.seal(content, context=subscription.id.bytes)


def subscription_of(row: Sequence[Any], sealer: Sealer) -> Subscription:
    """A subscription from the columns of ``SUBSCRIPTION_COLUMNS``; not readable without the key that sealed it."""
    unsealed = _unsealed(bytes(row[8]), row[0], sealer)
    content = unsealed or _Sealed(secrets=[], headers={})
    return Subscription(
        id=row[0],
        url=row[1],
        description=row[2],
        event_types=tuple(row[3]),
        filters=EventFilter(config_id=row[4], execution_id=row[5], route_id=row[6], adapter_name=row[7]),
        secrets=tuple(Secret(text=one.text, expires_at=one.expires_at) for one in content.secrets),
        headers=content.headers,
        is_readable=unsealed is not None,
        requests_per_second=row[9],
        timeout_seconds=row[10],
        is_ordered=row[11],
        is_enabled=row[12],
        disabled_at=row[13],
        disabled_reason=row[14],
        failing_since=row[15],
        warned_at=row[16],
        version=row[17],
        created_at=row[18],
        updated_at=row[19],
    )


def _unsealed(sealed: bytes, subscription_id: UUID, sealer: Sealer) -> _Sealed | None:
    try:
        content = sealer.unseal(sealed, context=subscription_id.bytes)
    except CannotUnseal:
        return None
    return msgspec.json.decode(content, type=_Sealed)


def delivery_of(row: Sequence[Any]) -> Delivery:
    """A delivery from the columns of ``DELIVERY_COLUMNS``."""
    return Delivery(
        id=row[0],
        subscription_id=row[1],
        event_id=row[2],
        event_type=row[3],
        occurred_at=row[4],
        state=DeliveryState(row[5]),
        due_at=row[6],
        position=row[7],
        attempts=row[8],
        failures=row[9],
        last_status=row[10],
        last_failure=None if row[11] is None else Failure(row[11]),
        last_attempt_at=row[12],
        settled_at=row[13],
    )


def claimed_of(row: Sequence[Any], token: UUID) -> ClaimedDelivery:
    """A delivery that is claimed, and so pending, from the columns of ``CLAIM_COLUMNS`` and a version behind them."""
    event = event_of(row[9:])
    delivery = Delivery(
        id=row[0],
        subscription_id=row[1],
        event_id=event.id,
        event_type=event.type,
        occurred_at=event.occurred_at,
        due_at=row[2],
        position=row[3],
        attempts=row[4],
        failures=row[5],
        last_status=row[6],
        last_failure=None if row[7] is None else Failure(row[7]),
        last_attempt_at=row[8],
    )
    return ClaimedDelivery(delivery=delivery, event=event, token=token, version=row[-1])


def event_of(row: Sequence[Any]) -> WebhookEvent:
    """An event from the columns of ``EVENT_COLUMNS``."""
    return WebhookEvent(
        id=row[0],
        type=row[1],
        occurred_at=row[2],
        config_id=row[3],
        execution_id=row[4],
        route_id=row[5],
        adapter_name=row[6],
        data=row[7],
    )


def attempt_of(row: Sequence[Any]) -> Attempt:
    """An attempt from the columns of ``ATTEMPT_COLUMNS``."""
    answer = Answer(
        status=row[5],
        headers=row[6],
        body=bytes(row[7]),
        is_truncated=row[8],
        failure=None if row[9] is None else Failure(row[9]),
        detail=row[10],
    )
    return Attempt(
        delivery_id=row[0],
        number=row[1],
        started_at=row[2],
        duration_ms=row[3],
        request_headers=row[4],
        answer=answer,
    )


def meant(wanted: DeliveryFilter) -> tuple[str, dict[str, Any]]:
    """The condition under which a row ``d`` of ``webhook_delivery`` is meant, and its parameters."""
    given: dict[str, Any] = {}
    for item in fields(wanted):
        value = getattr(wanted, item.name)
        if value is not None and value != frozenset():
            given[item.name] = sorted(value) if item.name == "states" else value
    return " AND ".join(["true", *(_CONDITIONS[name] for name in given)]), given


def object_events(settlements: Iterable[Settlement], now: datetime) -> str | None:
    """What settlements tell of objects that were kept, as ``webhook_objects`` takes it; None when there is nothing."""
    kept = {one.stored.key: one for settlement in settlements for one in settlement.objects}
    if not kept:
        return None
    events = (stage_object_created(one, at=now) for one in kept.values())
    return msgspec.json.encode(
        [{name: getattr(event, name) for name in _OF_OBJECTS} for event in events]
    ).decode()


_OF_OBJECTS = ("id", "occurred_at", "execution_id", "route_id", "adapter_name", "data")


async def publish(connection: Connection, event: WebhookEvent, only: UUID | None = None) -> None:
    """Make the event and its deliveries, as the triggers of executions and messages do."""
    values: Mapping[str, Any] = {item.name: getattr(event, item.name) for item in fields(event)}
    data = msgspec.json.encode(event.data).decode()
    await connection.execute(PUBLISH, {**values, "data": data, "only": only})
