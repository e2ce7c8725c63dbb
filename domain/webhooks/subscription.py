"""A subscription: an endpoint, what it is told of, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound
from domain.webhooks.event import WebhookEvent
from domain.webhooks.event_types import EVENT_TYPES
from domain.webhooks.filters import EventFilter
from domain.webhooks.secret import Secret

MAX_HEADERS = 20
MAX_HEADER_CHARACTERS = 1000
MAX_DESCRIPTION_CHARACTERS = 500
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
        "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "user-agent",
    }
)  # fmt: skip


class SubscriptionNotFound(NotFound):
    """There is no webhook subscription with that id."""

    code = "subscription_not_found"


class SubscriptionChanged(Conflict):
    """Somebody else has changed the subscription since it was read."""

    code = "subscription_changed"


class SubscriptionDisabled(Conflict):
    """The subscription is disabled: enable it first."""

    code = "subscription_disabled"


class SubscriptionUnreadable(Conflict):
    """The subscription was sealed with a key that the server does not have: rotate its secret and set its headers again."""

    code = "subscription_unreadable"


class InvalidSubscription(Invalid):
    """The subscription cannot be as it is asked for."""

    code = "invalid_subscription"


class UnknownEventType(Invalid):
    """There is no event type of that name."""

    code = "unknown_event_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One endpoint. ``secrets`` has the one in force first, and old ones that still sign behind it.

    ``is_ordered`` lets no event overtake an earlier one: one at a time, and a failing one holds up what follows.
    ``failing_since`` is the first of an unbroken row of failures; ``warned_at`` tells that a warning was given of it.
    One that is not ``is_readable`` shows no secrets and no headers, for the key that sealed them is not there.
    """

    id: UUID
    url: str
    event_types: Sequence[str]
    secrets: Sequence[Secret]
    created_at: datetime
    updated_at: datetime
    filters: EventFilter = field(default_factory=EventFilter)
    description: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    requests_per_second: float | None = None
    timeout_seconds: float = 15.0
    is_ordered: bool = False
    is_enabled: bool = True
    is_readable: bool = True
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    warned_at: datetime | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if not self.event_types or len(set(self.event_types)) != len(self.event_types):
            raise InvalidSubscription("event_types must name at least one type, each once")
        if not 1.0 <= self.timeout_seconds <= 30.0:
            raise InvalidSubscription("timeout_seconds must be from 1 to 30")
        rate = self.requests_per_second
        if rate is not None and not 0.01 <= rate <= 10_000.0:
            raise InvalidSubscription("requests_per_second must be from 0.01 to 10000")
        text = self.description
        if text is not None and (len(text) > MAX_DESCRIPTION_CHARACTERS or "\0" in text):
            raise InvalidSubscription("description must have 500 characters at most")
        _require_headers(self.headers)

    def wants(self, event: WebhookEvent) -> bool:
        """Whether it is told of an event, enabled or not."""
        return event.type in self.event_types and self.filters.holds(event)

    def valid_secrets(self, now: datetime) -> Sequence[str]:
        """The secrets that sign at a moment, the newest first; none only of one that is not readable."""
        valid = [secret.text for secret in self.secrets if secret.is_valid(now)]
        return valid or [secret.text for secret in self.secrets[:1]]

    def disabled(self, reason: str, *, at: datetime) -> Subscription:
        """The subscription, told of nothing from now on; one that is disabled already stays as it is."""
        if not self.is_enabled:
            return self
        return replace(self, is_enabled=False, disabled_at=at, disabled_reason=reason, **self._next(at))

    def enabled(self, *, at: datetime) -> Subscription:
        """The subscription, told of what happens from now on, its earlier failures forgotten."""
        if self.is_enabled:
            return self
        return replace(
            self,
            is_enabled=True,
            disabled_at=None,
            disabled_reason=None,
            failing_since=None,
            warned_at=None,
            **self._next(at),
        )

    def changed(self, changes: Mapping[str, Any], *, at: datetime) -> Subscription:
        """The subscription with other values of some fields, in its next version; raises InvalidSubscription.

        Another address has not failed yet.
        """
        is_elsewhere = changes.get("url", self.url) != self.url
        fresh = {"failing_since": None, "warned_at": None} if is_elsewhere else {}
        return replace(self, **(fresh | dict(changes)), **self._next(at))

    def _next(self, at: datetime) -> dict[str, Any]:
        return {"version": self.version + 1, "updated_at": at}


def require_known(event_types: Sequence[str]) -> None:
    """Raise UnknownEventType for a type that there is not.

    Asked of who names types, not of what is kept: another version of the service may know more of them than this one.
    """
    for name in event_types:
        if name not in EVENT_TYPES:
            known = ", ".join(EVENT_TYPES)
            raise UnknownEventType(f"there is no event type {name!r}; there are {known}")


def _require_headers(headers: Mapping[str, str]) -> None:
    if len(headers) > MAX_HEADERS or len({name.lower() for name in headers}) != len(headers):
        raise InvalidSubscription("there may be 20 headers at most, each once")
    for name, value in headers.items():
        is_ours = name.lower() in _OURS or name.lower().startswith(("webhook-", "x-factflow-"))
        if not _TOKEN.fullmatch(name) or is_ours:
            raise InvalidSubscription(f"the header {name[:100]!r} cannot be set")
        if len(value) > MAX_HEADER_CHARACTERS or not (value.isascii() and (value.isprintable() or not value)):
            raise InvalidSubscription(f"the value of the header {name} must be printable ASCII, 1000 at most")
        if value != value.strip():
            raise InvalidSubscription(f"the value of the header {name} begins or ends with a space")
