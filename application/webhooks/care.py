"""Warns of endpoints that keep failing, and disables them in the end."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from application.ports.clock import Clock
from application.ports.id_source import IdSource
from application.ports.webhook_queue import Standing
from application.ports.webhook_subscriptions import WebhookSubscriptions
from application.webhooks.subscriptions import disabled_event, endpoint_event
from domain.errors import Conflict, NotFound
from domain.webhooks.endpoint_health import DISABLED_AS_GONE, Care, DisableRules
from domain.webhooks.event import WebhookEvent
from domain.webhooks.event_types import FAILING
from domain.webhooks.outcome import Outcome
from domain.webhooks.subscription import Subscription

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCare:
    """What is done after failed attempts, whichever worker made them."""

    subscriptions: WebhookSubscriptions
    clock: Clock
    ids: IdSource
    rules: DisableRules = field(default_factory=DisableRules)

    async def after(self, subscription_id: UUID, outcome: Outcome, standing: Standing) -> bool:
        """Do what an attempt calls for; returns whether the subscription was changed."""
        now = self.clock.now()
        if outcome is Outcome.GONE:
            return await self._change(subscription_id, Care.DISABLE, DISABLED_AS_GONE, now)
        if outcome is Outcome.DELIVERED or standing.failing_since is None:
            return False
        care = self.rules.care(standing.failing_since, standing.warned_at, now=now)
        if care is Care.NOTHING:
            return False
        hours = (now - standing.failing_since).total_seconds() / 3600
        return await self._change(
            subscription_id, care, f"every attempt has failed for {hours:.0f} hours", now
        )

    async def _change(self, subscription_id: UUID, care: Care, reason: str, now: datetime) -> bool:
        try:
            before = await self.subscriptions.get(subscription_id)
            if not before.is_enabled or (care is Care.WARN and before.warned_at is not None):
                return False
            after, event = self._cared_for(before, care, reason, now)
            await self.subscriptions.replace(after, expected_version=before.version, event=event)
        except (Conflict, NotFound):
            return False  # somebody else changed it just now; the next failure looks again
        log.warning("webhook subscription %s: %s, %s", subscription_id, care, reason)
        return True

    def _cared_for(
        self, before: Subscription, care: Care, reason: str, now: datetime
    ) -> tuple[Subscription, WebhookEvent]:
        if care is Care.DISABLE:
            after = before.disabled(reason, at=now)
            return after, disabled_event(after, self.ids.new_id())
        event = endpoint_event(FAILING, before, self.ids.new_id(), at=now, reason=reason)
        return replace(before, warned_at=now, version=before.version + 1, updated_at=now), event
