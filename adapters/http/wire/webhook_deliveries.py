"""Webhook deliveries, attempts and redeliveries on the wire."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.wire.positions import cursor_of
from application.ports.webhook_deliveries import DeliveryPage, DeliveryRecord
from application.webhooks.redeliveries import Redelivery
from domain.webhooks.delivery import Attempt, Delivery, DeliveryFilter, DeliveryState
from domain.webhooks.event import body_of
from domain.webhooks.outcome import Failure

Exact = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[
    datetime,
    Meta(
        tz=True,
        description="As in RFC 3339, with `Z` or an offset.",
        examples=["2026-01-31T12:00:00Z"],
    ),
]
Status = Annotated[int, Meta(ge=100, le=999, examples=[404])]


class RedriveRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which settled deliveries are sent again: everything given must hold. `all: true` alone means every dead one."""

    all: bool = False
    subscription_id: UUID | None = None
    states: list[DeliveryState] | None = None
    event_type: Exact | None = None
    status: Status | None = None
    failure: Failure | None = None
    since: Moment | None = None
    until: Moment | None = None

    def wanted(self) -> DeliveryFilter:
        """The filter; raises InvalidDeliveryFilter."""
        return DeliveryFilter(
            subscription_id=self.subscription_id,
            states=frozenset(self.states or ()),
            event_type=self.event_type,
            status=self.status,
            failure=self.failure,
            since=self.since,
            until=self.until,
        )


class ReplayRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which moment on events are sent again: dead and skipped ones, and those that arrived only if asked for."""

    since: Moment
    include_delivered: bool = False


class DeliveryResponse(Struct, frozen=True, kw_only=True):
    """One event on its way to one subscription. `attempts` counts over redrives, `failures` since the last one."""

    id: UUID
    subscription_id: UUID
    event_id: UUID
    event_type: str
    occurred_at: datetime
    state: str
    due_at: datetime | None
    attempts: int
    failures: int
    last_status: int | None
    last_failure: str | None
    last_attempt_at: datetime | None
    settled_at: datetime | None


class AttemptResponse(Struct, frozen=True, kw_only=True):
    """One request: signatures and the subscription's own headers are not shown. Of the body the first 16 KB are kept.

    A body that is not UTF-8 text is shown as far as it can be.
    """

    number: int
    started_at: datetime
    duration_ms: float
    outcome: str
    status: Status | None
    failure: str | None
    detail: str | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str
    is_truncated: bool


class DeliveryDetailResponse(DeliveryResponse, frozen=True, kw_only=True):
    """A delivery with the body that is sent, and how often it was tried."""

    body: dict[str, Any]
    attempt_count: int


class DeliveryListResponse(Struct, frozen=True, kw_only=True):
    """A page of deliveries, the latest first. `total` is exact up to 10,000."""

    deliveries: list[DeliveryResponse]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class AttemptListResponse(Struct, frozen=True, kw_only=True):
    """Every attempt at a delivery, in order."""

    attempts: list[AttemptResponse]
    total: int


class RedeliveryResponse(Struct, frozen=True, kw_only=True):
    """How far it has come: so many `deliveries` wait to be sent again."""

    id: UUID
    status: str
    deliveries: int
    error: dict[str, Any] | None
    started_at: datetime
    completed_at: datetime | None


def delivery_fields(delivery: Delivery) -> dict[str, Any]:
    """What of a delivery travels, by name."""
    return {
        "id": delivery.id,
        "subscription_id": delivery.subscription_id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "occurred_at": delivery.occurred_at,
        "state": delivery.state.value,
        "due_at": delivery.due_at,
        "attempts": delivery.attempts,
        "failures": delivery.failures,
        "last_status": delivery.last_status,
        "last_failure": delivery.last_failure and delivery.last_failure.value,
        "last_attempt_at": delivery.last_attempt_at,
        "settled_at": delivery.settled_at,
    }


def delivery_response(delivery: Delivery) -> DeliveryResponse:
    """A delivery as it travels."""
    return DeliveryResponse(**delivery_fields(delivery))


def delivery_detail_response(record: DeliveryRecord) -> DeliveryDetailResponse:
    """A delivery as it travels, with what is sent."""
    return DeliveryDetailResponse(
        **delivery_fields(record.delivery),
        body=json.loads(body_of(record.event)),
        attempt_count=len(record.attempts),
    )


def delivery_list_response(page: DeliveryPage, *, limit: int, offset: int) -> DeliveryListResponse:
    """A page of deliveries as it travels."""
    return DeliveryListResponse(
        deliveries=[delivery_response(one) for one in page.deliveries],
        total=page.total,
        is_total_exact=page.is_total_exact,
        limit=limit,
        offset=offset,
        has_more=page.following is not None,
        next_cursor=None if page.following is None else cursor_of(page.following),
    )


def attempt_list_response(record: DeliveryRecord) -> AttemptListResponse:
    """The attempts of a delivery as they travel."""
    return AttemptListResponse(
        attempts=[_attempt(one) for one in record.attempts], total=len(record.attempts)
    )


def redelivery_response(redelivery: Redelivery) -> RedeliveryResponse:
    """A redelivery as it travels."""
    return RedeliveryResponse(
        id=redelivery.id,
        status=redelivery.status.value,
        deliveries=redelivery.deliveries,
        error=None if redelivery.error is None else dict(redelivery.error),
        started_at=redelivery.started_at,
        completed_at=redelivery.completed_at,
    )


def _attempt(attempt: Attempt) -> AttemptResponse:
    answer = attempt.answer
    return AttemptResponse(
        number=attempt.number,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        outcome=answer.outcome.value,
        status=answer.status,
        failure=answer.failure and answer.failure.value,
        detail=answer.detail,
        request_headers=dict(attempt.request_headers),
        response_headers=dict(answer.headers),
        response_body=answer.body.decode("utf-8", "replace"),
        is_truncated=answer.is_truncated,
    )
