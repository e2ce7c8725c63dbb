"""One queue of the in-process message queue: what waits, what is out, and who waits for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from time import monotonic
from uuid import UUID

from application.ports.message_queue import Envelope, SubscriptionClosed


class WaitingLine:
    """Envelopes in order, and idle consumers in the order they came. Every operation is O(1) an envelope.

    While a consumer is idle no envelope waits: an envelope goes straight into the hands of the first one.
    """

    __slots__ = ("capacity", "idle", "known", "subscriptions", "waiting")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.waiting: deque[Envelope] = deque()
        self.known: set[UUID] = set()
        self.idle: OrderedDict[asyncio.Future[InProcessDelivery], InProcessSubscription] = OrderedDict()
        self.subscriptions: dict[InProcessSubscription, None] = {}

    @property
    def is_unused(self) -> bool:
        """Whether nothing would be lost if the line were forgotten."""
        return not self.known and not self.subscriptions

    def append(self, envelopes: Sequence[Envelope]) -> int:
        """Take what there is room for, from the front; returns how many. Known ones need none and are dropped."""
        known, waiting, capacity = self.known, self.waiting, self.capacity
        taken = 0
        for envelope in envelopes:
            message_id = envelope.message_id
            if message_id not in known:
                if len(known) >= capacity:
                    break
                known.add(message_id)
                waiting.append(envelope)
            taken += 1
        self.hand_out()
        return taken

    def hand_out(self) -> None:
        """Give what waits to those who wait."""
        while self.waiting and self.idle:
            future, subscription = self.idle.popitem(last=False)
            if subscription.is_full:
                subscription.held_back.append(future)
            elif not future.done():
                future.set_result(subscription.take(self.waiting.popleft()))

    def give_back(self, envelopes: Sequence[Envelope]) -> None:
        """Put envelopes that were out in front of what waits, in their order."""
        self.waiting.extendleft(reversed(envelopes))
        self.hand_out()

    def close(self) -> None:
        """Close every subscription; what waits and what is out is forgotten."""
        for subscription in tuple(self.subscriptions):
            subscription.forget()
        self.waiting.clear()
        self.known.clear()


class InProcessSubscription:
    """One consumer of a line, with at most ``prefetch`` deliveries out. Several tasks may receive from it.

    ``received_at`` is when it was last given an envelope, on the monotonic clock.
    """

    __slots__ = ("_is_closed", "_line", "_out", "_prefetch", "held_back", "received_at")

    def __init__(self, line: WaitingLine, prefetch: int) -> None:
        self._line = line
        self._prefetch = prefetch
        self._out: dict[InProcessDelivery, None] = {}
        self._is_closed = False
        self.received_at: float | None = None
        self.held_back: deque[asyncio.Future[InProcessDelivery]] = deque()
        line.subscriptions[self] = None

    @property
    def is_full(self) -> bool:
        """Whether it must acknowledge or release something before it is given more."""
        return len(self._out) >= self._prefetch

    async def receive(self) -> InProcessDelivery:
        if self._is_closed:
            raise SubscriptionClosed
        line = self._line
        if line.waiting and not self.is_full:
            return self.take(line.waiting.popleft())
        return await self._wait()

    async def _wait(self) -> InProcessDelivery:
        future: asyncio.Future[InProcessDelivery] = asyncio.get_running_loop().create_future()
        self._queue_up(future)
        try:
            return await future
        except asyncio.CancelledError:
            self._stop_waiting(future)
            raise

    def _queue_up(self, future: asyncio.Future[InProcessDelivery]) -> None:
        if self.is_full:
            self.held_back.append(future)
        else:
            self._line.idle[future] = self

    def _stop_waiting(self, future: asyncio.Future[InProcessDelivery]) -> None:
        if not future.cancelled() and future.exception() is None:
            self.finish(future.result(), give_back=True)
        elif self._line.idle.pop(future, None) is None and future in self.held_back:
            self.held_back.remove(future)

    def take(self, envelope: Envelope) -> InProcessDelivery:
        """Put the envelope into this consumer's hands."""
        delivery = InProcessDelivery(self, envelope)
        self._out[delivery] = None
        self.received_at = monotonic()
        return delivery

    def finish(self, delivery: InProcessDelivery, *, give_back: bool) -> None:
        """Take a delivery out of the consumer's hands; one that is not in them changes nothing."""
        if delivery not in self._out:
            return
        del self._out[delivery]
        if self.held_back:
            self._line.idle[self.held_back.popleft()] = self
        if give_back:
            self._line.give_back((delivery.envelope,))
        else:
            self._line.known.discard(delivery.envelope.message_id)
            self._line.hand_out()

    def close(self) -> None:
        """End it; what is out unacknowledged goes back to the line."""
        envelopes = [delivery.envelope for delivery in self._out]
        self.forget()
        self._line.give_back(envelopes)

    def forget(self) -> None:
        """End it and whatever is out with it; those who wait are told."""
        self._is_closed = True
        self._line.subscriptions.pop(self, None)
        self._out.clear()
        for future in [future for future, owner in self._line.idle.items() if owner is self]:
            del self._line.idle[future]
            self.held_back.append(future)
        for future in self.held_back:
            if not future.done():
                future.set_exception(SubscriptionClosed())
        self.held_back.clear()


class InProcessDelivery:
    """One envelope in a consumer's hands."""

    __slots__ = ("_subscription", "envelope")

    def __init__(self, subscription: InProcessSubscription, envelope: Envelope) -> None:
        self._subscription = subscription
        self.envelope = envelope

    async def acknowledge(self) -> None:
        self._subscription.finish(self, give_back=False)

    async def release(self) -> None:
        self._subscription.finish(self, give_back=True)
