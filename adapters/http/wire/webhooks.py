"""Webhook subscriptions and event types on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from adapters.http.wire.pages import page_numbers
from domain.webhooks.event_types import EVENT_TYPES, EventType
from domain.webhooks.filters import EventFilter
from domain.webhooks.subscription import Subscription

Url = Annotated[str, Meta(min_length=1, max_length=2048, examples=["https://example.org/hooks"])]
EventTypes = Annotated[
    list[str], Meta(min_length=1, max_length=100, examples=[["execution.completed", "execution.failed"]])
]
SecretText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        description="Any text; in the form `whsec_` + base64 it is a key of Standard Webhooks.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    ),
]
Headers = Annotated[
    dict[str, str],
    Meta(
        description="Sent with every request; never shown again.",
        examples=[{"Authorization": "Bearer token"}],
    ),
]
Rate = Annotated[float, Meta(ge=0.01, le=10_000)]
Timeout = Annotated[float, Meta(ge=1, le=30)]
Description = Annotated[str, Meta(max_length=500)]
KeepSeconds = Annotated[
    float, Meta(ge=0, le=2_592_000, description="How long the secret before signs as well.")
]


class EventFilterShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is given must hold for an event; nothing given lets every event through."""

    config_id: UUID | None = None
    execution_id: UUID | None = None
    route_id: str | None = None
    adapter_name: str | None = None

    def wanted(self) -> EventFilter:
        """The filter; raises InvalidEventFilter."""
        return EventFilter(
            config_id=self.config_id,
            execution_id=self.execution_id,
            route_id=self.route_id,
            adapter_name=self.adapter_name,
        )


class SubscriptionCreateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to tell of events; without a `secret` it gets a fresh one."""

    url: Url
    event_types: EventTypes
    secret: SecretText | None = None
    filters: EventFilterShape = EventFilterShape()
    description: Description | None = None
    headers: Headers = {}
    requests_per_second: Rate | None = None
    timeout_seconds: Timeout = 15.0
    is_ordered: bool = False
    is_enabled: bool = True


class SubscriptionUpdateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change; a field that is not given stays."""

    url: Url | UnsetType = UNSET
    event_types: EventTypes | UnsetType = UNSET
    filters: EventFilterShape | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    headers: Headers | UnsetType = UNSET
    requests_per_second: Rate | UnsetType | None = UNSET
    timeout_seconds: Timeout | UnsetType = UNSET
    is_ordered: bool | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET

    def changes(self) -> dict[str, Any]:
        """The fields that are given, as values of the domain; raises InvalidEventFilter."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        if isinstance(self.filters, EventFilterShape):
            given["filters"] = self.filters.wanted()
        if "event_types" in given:
            given["event_types"] = tuple(given["event_types"])
        return given


class SecretRotateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new secret, fresh unless given; `keep_old_seconds: 0` ends all others at once."""

    secret: SecretText | None = None
    keep_old_seconds: KeepSeconds = 86_400.0


class SubscriptionResponse(Struct, frozen=True, kw_only=True):
    """A subscription, without its secrets; of `headers` the names only.

    One that is not `is_readable` was sealed with a key that the server does not have: nothing is sent to it until its
    secret is rotated, and its headers are lost with the old secret.
    """

    id: UUID
    webhook_id: UUID
    url: str
    description: str | None
    event_types: list[str]
    filters: EventFilterShape
    header_names: list[str]
    requests_per_second: float | None
    timeout_seconds: float
    is_ordered: bool
    is_enabled: bool
    is_readable: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    valid_secrets: int
    version: int
    created_at: datetime
    updated_at: datetime


class SubscriptionSecretResponse(SubscriptionResponse, frozen=True, kw_only=True):
    """A subscription with the secret in force, which is shown this once."""

    secret: str


class SubscriptionListResponse(Struct, frozen=True, kw_only=True):
    """A page of subscriptions, by creation."""

    webhooks: list[SubscriptionResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class EventTypeResponse(Struct, frozen=True, kw_only=True):
    """A type of events: the JSON schema of its body, and an example."""

    name: str
    description: str
    json_schema: dict[str, Any]
    example: dict[str, Any]


class EventTypeListResponse(Struct, frozen=True, kw_only=True):
    """Every type of events there is."""

    event_types: list[EventTypeResponse]
    total: int


def subscription_response(subscription: Subscription, now: datetime) -> SubscriptionResponse:
    """A subscription as it travels."""
    filters = subscription.filters
    return SubscriptionResponse(
        id=subscription.id,
        webhook_id=subscription.id,
        url=subscription.url,
        description=subscription.description,
        event_types=list(subscription.event_types),
        filters=EventFilterShape(
            config_id=filters.config_id,
            execution_id=filters.execution_id,
            route_id=filters.route_id,
            adapter_name=filters.adapter_name,
        ),
        header_names=list(subscription.headers),
        requests_per_second=subscription.requests_per_second,
        timeout_seconds=subscription.timeout_seconds,
        is_ordered=subscription.is_ordered,
        is_enabled=subscription.is_enabled,
        is_readable=subscription.is_readable,
        disabled_at=subscription.disabled_at,
        disabled_reason=subscription.disabled_reason,
        failing_since=subscription.failing_since,
        valid_secrets=len(subscription.valid_secrets(now)),
        version=subscription.version,
        created_at=subscription.created_at,
        updated_at=subscription.updated_at,
    )


def secret_response(subscription: Subscription, now: datetime) -> SubscriptionSecretResponse:
    """A subscription as it travels the one time that its secret is shown."""
    plain = msgspec.structs.asdict(subscription_response(subscription, now))
    return SubscriptionSecretResponse(**plain, secret=subscription.secrets[0].text)


def subscription_list_response(
    page: Sequence[Subscription], now: datetime, *, total: int, limit: int, offset: int
) -> SubscriptionListResponse:
    """A page of subscriptions as it travels."""
    return SubscriptionListResponse(
        webhooks=[subscription_response(one, now) for one in page],
        **page_numbers(len(page), total=total, limit=limit, offset=offset),
    )


def event_type_list_response() -> EventTypeListResponse:
    """The catalogue as it travels."""
    kinds = [_event_type(one) for one in EVENT_TYPES.values()]
    return EventTypeListResponse(event_types=kinds, total=len(kinds))


def _event_type(one: EventType) -> EventTypeResponse:
    return EventTypeResponse(
        name=one.name,
        description=one.description,
        json_schema=dict(one.schema),
        example=dict(one.example),
    )
