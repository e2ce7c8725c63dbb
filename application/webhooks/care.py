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

TRIES = 5
"""How often a subscription is looked at again when somebody else has changed it at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCare:
    """What is done after failed attempts, whichever worker made them."""

    subscriptions: WebhookSubscriptions
    clock: Clock
    ids: IdSource
    rules: DisableRules = field(default_factory=DisableRules)

    async def after(self, subscription_id: UUID, url: str, outcome: Outcome, standing: Standing) -> bool:
        """Do what an attempt at an address calls for; returns whether the subscription was changed."""
        now = self.clock.now()
        if self._due(outcome, standing, now) is Care.NOTHING:
            return False
        for _ in range(TRIES):
            try:
                before = await self.subscriptions.get(subscription_id)
                if before.url != url:
                    return False  # it is another endpoint by now
                return await self._see_to(before, outcome, now)
            except Conflict:
                continue  # somebody else changed it just now
            except NotFound:
                return False
        log.warning("webhook subscription %s changes too often to be seen to", subscription_id)
        return False

    def _due(self, outcome: Outcome, standing: Standing | Subscription, now: datetime) -> Care:
        if outcome is Outcome.GONE:
            return Care.DISABLE
        if outcome is Outcome.DELIVERED or standing.failing_since is None:
            return Care.NOTHING
        return self.rules.care(standing.failing_since, standing.warned_at, now=now)

    async def _see_to(self, before: Subscription, outcome: Outcome, now: datetime) -> bool:
        care = self._due(outcome, before, now)
        if care is Care.NOTHING or not before.is_enabled:
            return False
        reason = DISABLED_AS_GONE if outcome is Outcome.GONE else _reason(before, now)
        after, event = self._cared_for(before, care, reason, now)
        await self.subscriptions.replace(after, expected_version=before.version, event=event)
        log.warning("webhook subscription %s: %s, %s", before.id, care, reason)
        return True

    def _cared_for(
        self, before: Subscription, care: Care, reason: str, now: datetime
    ) -> tuple[Subscription, WebhookEvent]:
        if care is Care.DISABLE:
            after = before.disabled(reason, at=now)
            return after, disabled_event(after, self.ids.new_id())
        event = endpoint_event(FAILING, before, self.ids.new_id(), at=now, reason=reason)
        return replace(before, warned_at=now, version=before.version + 1, updated_at=now), event


def _reason(failing: Subscription, now: datetime) -> str:
    seconds = 0.0 if failing.failing_since is None else (now - failing.failing_since).total_seconds()
    return f"every attempt has failed for {seconds / 3600:.0f} hours"
