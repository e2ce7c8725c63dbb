"""Writes down what came of attempts, many at once, and sees to endpoints that fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from application.batcher import Batcher
from application.ports.webhook_queue import Recorded, Standing, WebhookQueue
from application.webhooks.attempting import Tried
from application.webhooks.care import EndpointCare
from application.webhooks.under_way import UnderWay
from domain.errors import FactflowError, Unavailable
from domain.webhooks.outcome import Outcome

log = logging.getLogger(__name__)

RECORDS_AT_ONCE = 500
RECORD_TRIES = 5


@dataclass(slots=True, kw_only=True, eq=False)
class Recording:
    """``pause`` are the seconds in which what came of much is gathered, ``retry_seconds`` those after which a store that
    cannot be reached is asked again. ``changed`` is called when a subscription was warned or disabled.
    """

    queue: WebhookQueue
    care: EndpointCare
    under_way: UnderWay
    changed: Callable[[], None]
    pause: float
    retry_seconds: float
    _records: Batcher[Recorded, Standing] = field(init=False)

    def __post_init__(self) -> None:
        self._records = Batcher(self.queue.record, size=RECORDS_AT_ONCE, pause=self.pause)

    async def close(self) -> None:
        """Drop what is not written down by now."""
        await self._records.close()

    def begin(self, tried: Tried) -> None:
        """Write it down without anybody waiting for it."""
        record = self._records.enter(tried.recorded)
        if tried.recorded.attempt.answer.outcome is not Outcome.DELIVERED:
            self.under_way.begin(self._follow(tried, record))
            return
        # Most attempts succeed and are written down at once: nothing follows from these, and they need no task.
        self.under_way.add(record)
        record.add_done_callback(partial(self._look, tried))

    def _look(self, tried: Tried, record: asyncio.Future[Standing]) -> None:
        if not record.cancelled() and record.exception() is not None:
            self.under_way.begin(self._follow(tried, record))

    async def _follow(self, tried: Tried, record: asyncio.Future[Standing]) -> None:
        delivery_id = tried.recorded.delivery.id
        try:
            await self._finish(tried, record)
        except FactflowError as error:
            log.warning("webhook delivery %s is left for later: %s", delivery_id, error.message)
        except Exception:
            log.exception("webhook delivery %s failed by a defect", delivery_id)

    async def note(self, tried: Tried) -> None:
        """Write it down, and do what it calls for; raises FactflowError when it could not be written down."""
        await self._finish(tried, self._records.enter(tried.recorded))

    async def _finish(self, tried: Tried, record: asyncio.Future[Standing]) -> None:
        standing = await self._recorded(tried, record)
        subscription_id = tried.recorded.delivery.subscription_id
        outcome = tried.recorded.attempt.answer.outcome
        try:
            is_changed = await self.care.after(subscription_id, tried.url, outcome, standing)
        except FactflowError as error:
            # The attempt is written down all the same; the next one that fails looks at the endpoint again.
            log.warning(
                "webhook subscription %s is neither warned nor disabled: %s", subscription_id, error.message
            )
            return
        if is_changed:
            self.changed()

    async def _recorded(self, tried: Tried, record: asyncio.Future[Standing]) -> Standing:
        """What is written down already, or once the store can be reached."""
        recorded = tried.recorded
        for _ in range(RECORD_TRIES):
            try:
                return await record
            except Unavailable:
                await self.care.clock.sleep(self.retry_seconds)
            except Exception:
                # What came of it must be known, or it would be sent for ever; what the endpoint said need not.
                log.exception("an answer to webhook delivery %s cannot be kept", recorded.delivery.id)
                recorded = recorded.without_answer()
            record = self._records.enter(recorded)
        return await record
