"""One attempt: signed, sent, judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from application.ports.clock import Clock
from application.ports.id_source import IdSource
from application.ports.webhook_queue import ClaimedDelivery, Recorded
from application.ports.webhook_sender import WebhookRequest, WebhookSender
from domain.values import quickly_made
from domain.webhooks.delivery import Attempt
from domain.webhooks.event import body_of
from domain.webhooks.event_types import TEST
from domain.webhooks.outcome import Outcome
from domain.webhooks.schedule import NO_RETRIES, RetrySchedule, retry_after_seconds
from domain.webhooks.signature import REDACTED, redacted, signed_headers
from domain.webhooks.subscription import Subscription

_CONTENT = {"Content-Type": "application/json"}


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of an attempt at a ``url``; ``retry_after`` is what a throttling receiver asks for, in seconds."""

    recorded: Recorded
    url: str
    took: float
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempting:
    """Makes attempts, without writing down what came of them."""

    sender: WebhookSender
    clock: Clock
    ids: IdSource
    schedule: RetrySchedule = field(default_factory=RetrySchedule)

    async def attempt(self, claim: ClaimedDelivery, subscription: Subscription) -> Tried:
        """Send a delivery once."""
        started_at, began = self.clock.now(), self.clock.monotonic()
        body = body_of(claim.event)
        signed = signed_headers(
            subscription.valid_secrets(started_at),
            delivery_id=str(claim.delivery.id),
            event_type=claim.event.type,
            body=body,
            at=started_at,
        )
        answer = await self.sender.send(
            WebhookRequest(
                url=subscription.url,
                headers={**subscription.headers, **_CONTENT, **signed},
                body=body,
                timeout_seconds=subscription.timeout_seconds,
            )
        )
        took, now = self.clock.monotonic() - began, self.clock.now()
        wish = (
            retry_after_seconds(_header(answer.headers, "retry-after"), now) if answer.is_throttling else None
        )
        schedule = NO_RETRIES if claim.event.type == TEST else self.schedule
        attempt = Attempt(
            delivery_id=claim.delivery.id,
            number=claim.delivery.attempts,
            started_at=started_at,
            duration_ms=took * 1000,
            request_headers={**_shown(subscription.headers), **_CONTENT, **redacted(signed)},
            answer=answer,
        )
        delivery = claim.delivery.attempted(
            answer,
            at=now,
            schedule=schedule,
            randomness=self.ids.randomness() if answer.outcome is Outcome.RETRY else 0.0,
            retry_after=wish,
        )
        recorded = Recorded(delivery=delivery, token=claim.token, attempt=attempt)
        return Tried(recorded=recorded, url=subscription.url, took=took, retry_after=wish)


def _shown(custom: Mapping[str, str]) -> Mapping[str, str]:
    """An endpoint's own headers as people may see them: one may hold a key as well as a signature may."""
    return dict.fromkeys(custom, REDACTED)


def _header(headers: Mapping[str, str], wanted: str) -> str | None:
    return next((value for name, value in headers.items() if name.lower() == wanted), None)
