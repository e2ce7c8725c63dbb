"""The endpoints that a worker knows, as new as it polls for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from application.ports.clock import Clock
from application.ports.webhook_queue import ClaimedDelivery
from application.ports.webhook_subscriptions import WebhookSubscriptions
from application.webhooks.endpoint import Endpoint
from domain.errors import FactflowError, NotFound, Unavailable
from domain.webhooks.subscription import SubscriptionUnreadable

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Endpoints:
    """Those of enabled subscriptions. ``returned`` are claims that will not be used here, for others to have at once."""

    subscriptions: WebhookSubscriptions
    clock: Clock
    poll_seconds: float
    returned: list[ClaimedDelivery] = field(default_factory=list)
    _known: dict[UUID, Endpoint] = field(default_factory=dict)
    _unreadable: dict[UUID, int] = field(default_factory=dict)
    _looked_at: float | None = None

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(list(self._known.values()))

    def knows(self, endpoint: Endpoint) -> bool:
        """Whether it is the one that its subscription is sent to by now."""
        return self._known.get(endpoint.subscription.id) is endpoint

    @property
    def busy(self) -> int:
        """How many have something to do."""
        return sum(1 for one in self._known.values() if one.in_flight or one.waiting)

    def look_again(self) -> None:
        """Refresh at the next opportunity, however soon that is."""
        self._looked_at = None

    async def refresh(self) -> None:
        """Learn which subscriptions there are, as often as is polled."""
        now = self.clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < self.poll_seconds:
            return
        versions = await self.subscriptions.versions()
        self._looked_at = now
        for gone in self._known.keys() - versions.keys():
            self.drop(gone)
        self._unreadable = {one: it for one, it in self._unreadable.items() if versions.get(one) == it}
        for subscription_id, version in versions.items():
            known = self._known.get(subscription_id)
            if known is None and subscription_id in self._unreadable:
                continue
            if known is None or known.subscription.version != version:
                await self.load(subscription_id, version)

    async def load(self, subscription_id: UUID, version: int) -> Endpoint | None:
        """An endpoint as its subscription says now; None when there is none, or none that may be sent to.

        ``version`` is the newest that is known of.
        """
        try:
            subscription = await self.subscriptions.get(subscription_id)
        except NotFound:
            self.drop(subscription_id)
            return None
        except Unavailable:
            raise
        except FactflowError as error:
            # With a field that a newer version allows more of, say: the others are not to suffer for it.
            self._pass_over(subscription_id, version, error)
            return None
        if not subscription.is_readable:
            self._pass_over(subscription_id, subscription.version, SubscriptionUnreadable())
            return None
        if not subscription.is_enabled:
            self.drop(subscription_id)
            return None
        endpoint = self._known.setdefault(subscription_id, Endpoint(subscription=subscription))
        endpoint.adopt(subscription, self.clock.monotonic())
        return endpoint

    def drop(self, subscription_id: UUID) -> None:
        """Send nothing more to an endpoint, whatever has been taken up for it."""
        if (endpoint := self._known.pop(subscription_id, None)) is not None:
            self.returned.extend(endpoint.give_back())

    def give_all_back(self) -> None:
        """Return all that waits."""
        for endpoint in self._known.values():
            self.returned.extend(endpoint.give_back())

    def _pass_over(self, subscription_id: UUID, version: int, error: FactflowError) -> None:
        self.drop(subscription_id)
        if self._unreadable.get(subscription_id) != version:
            self._unreadable[subscription_id] = version
            log.warning("webhook subscription %s: %s", subscription_id, error.message)
