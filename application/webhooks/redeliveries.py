"""Redeliveries of many, under way while whoever asked for them does something else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.background_jobs import BackgroundJobs, Job
from application.webhooks.deliveries import Deliveries
from domain.errors import Invalid, NotFound, Refused
from domain.webhooks.delivery import DeliveryFilter, DeliveryState

REDRIVEN = frozenset({DeliveryState.DEAD})
REPLAYED = frozenset({DeliveryState.DEAD, DeliveryState.SKIPPED})


class RedeliveryNotFound(NotFound):
    """There is no redelivery with that id: the server keeps the last hundred while it runs."""

    code = "redelivery_not_found"


class TooManyRedeliveries(Refused):
    """As many redeliveries as may be under way at once are."""

    code = "too_many_redeliveries"


class NoDeliveriesNamed(Invalid):
    """Say which deliveries are meant, or that all of them are; only settled ones can be sent again."""

    code = "no_deliveries_named"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery(Job):
    """One of them: so many ``deliveries`` wait to be sent again."""

    wanted: DeliveryFilter
    deliveries: int = 0


class Redeliveries(BackgroundJobs[Redelivery]):
    """The redeliveries of this process."""

    not_found = RedeliveryNotFound
    too_many = TooManyRedeliveries

    def __init__(self, *, deliveries: Deliveries) -> None:
        super().__init__(deliveries.clock)
        self.deliveries = deliveries

    def begin(self, wanted: DeliveryFilter, *, is_all_meant: bool = False) -> Redelivery:
        """Begin to send those meant again, the dead ones unless states are named; returns at once.

        Raises NoDeliveriesNamed, TooManyRedeliveries.
        """
        if (wanted == DeliveryFilter()) is not is_all_meant or DeliveryState.PENDING in wanted.states:
            raise NoDeliveriesNamed
        meant = replace(wanted, states=wanted.states or REDRIVEN)
        ids, now = self.deliveries.ids, self.deliveries.clock.now()
        return self._begin(Redelivery(id=ids.new_id(), wanted=meant, started_at=now))

    async def replay(
        self, subscription_id: UUID, since: datetime, *, with_delivered: bool = False
    ) -> Redelivery:
        """Begin to send a subscription again what has happened from a moment on, and what it got only if asked.

        Raises SubscriptionNotFound, SubscriptionDisabled, SubscriptionUnreadable, InvalidDeliveryFilter,
        TooManyRedeliveries.
        """
        states = REPLAYED | {DeliveryState.DELIVERED} if with_delivered else REPLAYED
        wanted = DeliveryFilter(subscription_id=subscription_id, since=since, states=states)
        await self.deliveries.require_enabled(subscription_id)
        return self.begin(wanted)

    async def _steps(self, job: Redelivery) -> AsyncIterator[Redelivery]:
        async for count in self.deliveries.requeue_all(job.wanted):
            job = replace(job, deliveries=job.deliveries + count)
            yield job
