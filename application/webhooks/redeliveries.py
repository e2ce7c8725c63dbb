"""Redeliveries of many, under way while whoever asked for them does something else."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Self
from uuid import UUID

from application.engine.failures import described
from application.webhooks.deliveries import Deliveries
from domain.errors import Invalid, NotFound, Refused
from domain.json import JsonObject
from domain.webhooks.delivery import DeliveryFilter, DeliveryState

log = logging.getLogger(__name__)

KEPT = 100
MOST_AT_ONCE = 4
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


class RedeliveryStatus(StrEnum):
    """How far it has come. ``failed`` and ``stopped`` ones have done a part; to ask again is right."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery:
    """One of them: so many ``deliveries`` wait to be sent again."""

    id: UUID
    wanted: DeliveryFilter
    status: RedeliveryStatus = RedeliveryStatus.RUNNING
    deliveries: int = 0
    error: JsonObject | None = None
    started_at: datetime
    completed_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Redeliveries:
    """The redeliveries of this process, while ``async with`` lasts; leaving it stops them between two batches."""

    deliveries: Deliveries
    _kept: dict[UUID, Redelivery] = field(default_factory=dict)
    _tasks: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def begin(self, wanted: DeliveryFilter, *, is_all_meant: bool = False) -> Redelivery:
        """Begin to send those meant again, the dead ones unless states are named; returns at once.

        Raises NoDeliveriesNamed, TooManyRedeliveries.
        """
        if (wanted == DeliveryFilter()) is not is_all_meant or DeliveryState.PENDING in wanted.states:
            raise NoDeliveriesNamed
        if len(self._tasks) >= MOST_AT_ONCE:
            raise TooManyRedeliveries
        redelivery = Redelivery(
            id=self.deliveries.ids.new_id(),
            wanted=replace(wanted, states=wanted.states or REDRIVEN),
            started_at=self.deliveries.clock.now(),
        )
        self._keep(redelivery)
        task = asyncio.create_task(self._run(redelivery), name=f"redelivery {redelivery.id}")
        self._tasks[redelivery.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(redelivery.id, None))
        return redelivery

    async def replay(
        self, subscription_id: UUID, since: datetime, *, with_delivered: bool = False
    ) -> Redelivery:
        """Begin to send a subscription again what has happened from a moment on, and what it got only if asked.

        Raises SubscriptionNotFound, SubscriptionDisabled, InvalidDeliveryFilter, TooManyRedeliveries.
        """
        states = REPLAYED | {DeliveryState.DELIVERED} if with_delivered else REPLAYED
        wanted = DeliveryFilter(subscription_id=subscription_id, since=since, states=states)
        await self.deliveries.require_enabled(subscription_id)
        return self.begin(wanted)

    def get(self, redelivery_id: UUID) -> Redelivery:
        """One as it stands; raises RedeliveryNotFound."""
        if redelivery_id not in self._kept:
            raise RedeliveryNotFound
        return self._kept[redelivery_id]

    async def ended(self, redelivery_id: UUID) -> Redelivery:
        """One when it is over."""
        if redelivery_id in self._tasks:
            await asyncio.wait([self._tasks[redelivery_id]])
        return self.get(redelivery_id)

    async def _run(self, redelivery: Redelivery) -> None:
        status, error = RedeliveryStatus.STOPPED, None
        try:
            async for count in self.deliveries.requeue_all(redelivery.wanted):
                redelivery = replace(redelivery, deliveries=redelivery.deliveries + count)
                self._keep(redelivery)
            status = RedeliveryStatus.COMPLETED
        except Exception as failure:  # noqa: BLE001 (whatever it is stands in the job, for whoever asks)
            log.warning("redelivery %s failed: %s", redelivery.id, failure)
            status, error = RedeliveryStatus.FAILED, described(failure)
        finally:
            now = self.deliveries.clock.now()
            self._keep(replace(redelivery, status=status, error=error, completed_at=now))

    def _keep(self, redelivery: Redelivery) -> None:
        self._kept[redelivery.id] = redelivery
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
