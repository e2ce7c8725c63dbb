"""Sends what is due, to all endpoints side by side."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Self

from application.ports.event_bus import EventBus
from application.ports.webhook_queue import ClaimedDelivery, WebhookQueue
from application.ports.webhook_subscriptions import WebhookSubscriptions
from application.webhooks.attempting import Attempting, Tried
from application.webhooks.care import EndpointCare
from application.webhooks.endpoint import Endpoint
from application.webhooks.endpoints import Endpoints
from application.webhooks.recording import Recording
from application.webhooks.under_way import UnderWay
from domain.errors import FactflowError
from domain.webhooks.subscription import Subscription

log = logging.getLogger(__name__)

MOST_OUT = 500
"""Requests under way, of all endpoints together."""
SHARED_OUT = 400
"""Of these so many are shared out among the endpoints that have something to do; the rest is for who had nothing."""
MOST_UNRECORDED = 2000
"""Deliveries sent and not yet recorded, with requests under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """``poll_seconds`` is how soon what other processes have published is found.

    ``record_seconds`` is how long what came of much that is sent is gathered for one commit.
    ``lease_seconds`` must be four times as long as any request may take: half of it a claim may wait here, and then
    it may be tried on two connections. What a dead worker held is sent again after it.
    """

    poll_seconds: float = 1.0
    record_seconds: float = 0.05
    lease_seconds: float = 120.0
    grace_seconds: float = 5.0


@dataclass(slots=True, kw_only=True, eq=False)
class DeliveryWorker:
    """Delivers while ``async with`` lasts, together with any number of others over the same queue.

    Each endpoint has its own concurrency, pace and circuit breaker, so that one that is slow or gone holds up only
    itself: the more of them have something to do, the fewer requests each may have out. What was taken up and cannot
    be sent is given back. Leaving it waits a few seconds for what is under way; that is sent again when its claims run out.
    """

    queue: WebhookQueue
    subscriptions: WebhookSubscriptions
    attempting: Attempting
    care: EndpointCare
    events: EventBus
    settings: WorkerSettings = field(default_factory=WorkerSettings)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _out: int = 0
    _is_closing: bool = False
    _share: int = SHARED_OUT
    _endpoints: Endpoints = field(init=False)
    _under_way: UnderWay = field(init=False)
    _recording: Recording = field(init=False)

    def __post_init__(self) -> None:
        self._endpoints = Endpoints(
            subscriptions=self.subscriptions,
            clock=self.attempting.clock,
            poll_seconds=self.settings.poll_seconds,
        )
        self._under_way = UnderWay(most=MOST_UNRECORDED, has_room=self._woken.set)
        self._recording = Recording(
            queue=self.queue,
            care=self.care,
            under_way=self._under_way,
            changed=self.wake,
            pause=self.settings.record_seconds,
            retry_seconds=self.settings.poll_seconds,
        )

    async def __aenter__(self) -> Self:
        self._is_closing = False
        listening = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._work(), name="webhook deliveries"),
            asyncio.create_task(self._listen(listening), name="webhook events"),
        ]
        await listening.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._under_way.close(self.settings.grace_seconds)
        await self._recording.close()
        self._endpoints.give_all_back()
        try:
            await self._give_back()
        except FactflowError as unavailable:
            # It is due again when its claims run out.
            log.warning("webhook deliveries that were taken up cannot be given back: %s", unavailable.message)

    def wake(self) -> None:
        """Look at once for subscriptions that have changed and deliveries that are due."""
        self._endpoints.look_again()
        self._woken.set()

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._endpoints.refresh()
                self._share_out()
                for endpoint in self._endpoints:
                    self._send_waiting(endpoint)
                await self._give_back()
                claimed = await self._claim()
            except FactflowError as error:
                log.warning("webhook deliveries cannot be claimed: %s", error.message)
                claimed = 0
            except Exception:
                # A defect is to be seen, and must not keep all that follows from being sent.
                log.exception("webhook deliveries cannot be claimed")
                claimed = 0
            if not claimed:
                await self._rest()

    async def _give_back(self) -> None:
        """Let others have, or have anew, what was taken up and will not be sent."""
        returned, self._endpoints.returned = self._endpoints.returned, []
        if not returned:
            return
        try:
            await self.queue.release(returned, now=self.attempting.clock.now())
        except BaseException:
            self._endpoints.returned += returned
            raise

    async def _claim(self) -> int:
        now = self.attempting.clock.monotonic()
        known = {one.subscription.id: one for one in self._endpoints}
        rooms = [room for one in known.values() if (room := one.room(now)) is not None]
        if not rooms or self._is_full:
            return 0
        moment = self.attempting.clock.now()
        claims = await self.queue.claim(
            rooms,
            token=self.attempting.ids.new_id(),
            now=moment,
            until=moment + timedelta(seconds=self.settings.lease_seconds),
        )
        for claim in claims:
            endpoint = known[claim.delivery.subscription_id]
            endpoint.take(claim, now, until=now + self.settings.lease_seconds / 2)
        self._share_out()
        for subscription_id in {claim.delivery.subscription_id for claim in claims}:
            endpoint = known[subscription_id]
            if not self._endpoints.knows(endpoint):
                # It was dropped while the claims were on their way, and nobody looks at what waits there any more.
                self._endpoints.returned.extend(endpoint.give_back())
            self._send_waiting(endpoint)
        return len(claims)

    def _share_out(self) -> None:
        self._share = max(1, SHARED_OUT // max(1, self._endpoints.busy))

    def _send_waiting(self, endpoint: Endpoint) -> None:
        """Send side by side what waits, as far as there is room; each request is followed by the next that waits."""
        while (claim := self._next(endpoint)) is not None:
            self._under_way.begin(self._deliver(endpoint, claim))

    def _next(self, endpoint: Endpoint) -> ClaimedDelivery | None:
        if self._is_closing or self._is_full:
            return None
        if given_up := endpoint.give_up(self.attempting.clock.monotonic()):
            self._endpoints.returned.extend(given_up)
            self._woken.set()
        claim = endpoint.next(self._share)
        if claim is not None:
            endpoint.in_flight += 1
            self._out += 1
        return claim

    @property
    def _is_full(self) -> bool:
        return self._out >= MOST_OUT or self._under_way.is_full

    async def _deliver(self, endpoint: Endpoint, claim: ClaimedDelivery | None) -> None:
        """Send a delivery and then what waits for the same endpoint, one after the other."""
        while claim is not None:
            is_ordered = endpoint.subscription.is_ordered
            try:
                tried = await self._attempt(endpoint, claim)
                if tried is not None and is_ordered:
                    await self._recording.note(tried)
                elif tried is not None:
                    # Writing down what came of it is no reason to let the endpoint wait, unless its order depends on it.
                    self._recording.begin(tried)
            except FactflowError as error:
                log.warning("webhook delivery %s is left for later: %s", claim.delivery.id, error.message)
            except Exception:
                log.exception("webhook delivery %s failed by a defect", claim.delivery.id)
            finally:
                claim = self._leave(endpoint)

    def _leave(self, endpoint: Endpoint) -> ClaimedDelivery | None:
        """One request of an endpoint is over; returns what is to be sent in its stead."""
        was_full = self._is_full
        endpoint.in_flight -= 1
        self._out -= 1
        claim = self._next(endpoint)
        if was_full or endpoint.room(self.attempting.clock.monotonic()) is not None:
            self._woken.set()
        return claim

    async def _attempt(self, endpoint: Endpoint, claim: ClaimedDelivery) -> Tried | None:
        subscription = endpoint.subscription
        if claim.version > subscription.version:
            reloaded = await self._reloaded(claim)
            if reloaded is None:
                return None
            subscription = reloaded
        tried = await self.attempting.attempt(claim, subscription)
        endpoint.note(
            tried.recorded.attempt.answer,
            took=tried.took,
            now=self.attempting.clock.monotonic(),
            retry_after=tried.retry_after,
        )
        return tried

    async def _reloaded(self, claim: ClaimedDelivery) -> Subscription | None:
        """The subscription as it is by now; the claim is given back when it cannot be sent to."""
        endpoint = None
        try:
            endpoint = await self._endpoints.load(claim.delivery.subscription_id, claim.version)
        finally:
            if endpoint is None:
                self._endpoints.returned.append(claim)
                self._woken.set()
        return None if endpoint is None else endpoint.subscription

    async def _rest(self) -> None:
        """Wait until something has happened, or may have happened elsewhere."""
        now = self.attempting.clock.monotonic()
        wakes = [wait for one in self._endpoints if (wait := one.wakes_in(now)) is not None]
        seconds = max(0.001, min([self.settings.poll_seconds, *wakes]))
        sleep = asyncio.ensure_future(self.attempting.clock.sleep(seconds))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            woken.cancel()

    async def _listen(self, listening: asyncio.Event) -> None:
        async with self.events.listen(with_messages=False) as events:
            listening.set()
            async for _ in events:
                self._woken.set()
