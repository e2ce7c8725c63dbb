"""Processes one route of one execution: delivery, claim, pipeline adapters, settlement, children, acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from application.engine.attempt import Attempt, settlement_of
from application.engine.dead_letter_copies import DeadLetterCopies
from application.engine.failures import described
from application.engine.follow_up import FollowUp
from application.engine.group_commit import GroupClosed, GroupCommit
from application.engine.inbox import WINDOW, Inbox, Work, handed_back, key_of
from application.engine.ports import EnginePorts
from application.engine.quarantine import Quarantine
from application.engine.route_feed import RouteFeed
from application.engine.route_gate import RouteGate
from application.engine.stopping import stopped
from application.ports.ledger import ClaimRequest, Settled
from application.ports.message_queue import Delivery, Envelope, Subscription
from domain.errors import FactflowError
from domain.execution import ExecutionStatus
from domain.message import Claim, Message, Outcome, Settlement
from domain.pipeline import Route

LONGEST_STRETCH_SECONDS = 0.001
LOOKED_FOR_AGAIN = timedelta(seconds=1)


@dataclass(slots=True, kw_only=True, eq=False)
class RouteProcessor:
    """Takes a route's messages as they come, as many at a time as its gate lets in, and settles each.

    ``finished`` is told when a settlement ends the execution, ``crashed`` when a task here ends by an error, which only
    a defect can bring about.
    """

    ports: EnginePorts
    route: Route
    gate: RouteGate
    quarantine: Quarantine
    attempt: Attempt
    feeds: Mapping[str, RouteFeed]
    claims: GroupCommit[ClaimRequest, Claim | None]
    settlements: GroupCommit[Settlement, Settled]
    finished: Callable[[UUID, ExecutionStatus], None]
    crashed: Callable[[BaseException], None]
    inbox: Inbox = field(default_factory=Inbox)
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    follow_up: FollowUp = field(init=False)
    copies: DeadLetterCopies = field(init=False)
    _asked: dict[UUID, Envelope] = field(default_factory=dict)
    _workers: set[asyncio.Task[None]] = field(default_factory=set)
    _at_work: int = 0
    _is_staffing: bool = False

    def __post_init__(self) -> None:
        self.copies = DeadLetterCopies(ports=self.ports, route=self.route)
        self.follow_up = FollowUp(feeds=self.feeds, route_id=self.route.id, at=self.ports.at)

    @property
    def is_idle(self) -> bool:
        """Whether nothing keeps its queue from giving it more, so that the queue is empty."""
        could_do_more = self.gate.is_open and self.inbox.in_window < self.gate.most
        is_asking = not self.inbox.is_heavy  # else it takes nothing out of the queue, whatever is in it
        return could_do_more and is_asking and not self._asked and self.follow_up.is_done

    @property
    def takes_over(self) -> bool:
        """Whether a child may pass by the queue: what waits in the queue or in the ledger comes before what is born now."""
        return self.gate.is_open and self.feeds[self.route.id].is_clear

    def take_over(self, messages: Sequence[Message], token: UUID) -> None:
        """Take in messages that were claimed under a token as they were born; after the end they are put back."""
        for message in messages:
            work = Work(claim=Claim(message=message, token=token, attempt=1))
            if self.inbox.is_closed:
                self.settlements.hand_in(work.given_up(), _ignore)
            elif work.key not in self.inbox.held:
                # It is there already when it was emitted twice under one key.
                self.quarantine.enter()
                self._put(work)
        self._staff()

    def put_back(self, message_id: UUID, execution_id: UUID, token: UUID) -> None:
        """Put back a message that was claimed as it was born, if it was, unless it has been taken over."""
        if key_of(message_id, token) not in self.inbox.held:
            self.settlements.hand_in(handed_back(message_id, execution_id, token, has_begun=False), _ignore)

    async def run(self) -> None:
        """Consume the queue whenever the gate is open, until cancelled. Ready is, too, who is kept from it by the gate."""
        name = self.feeds[self.route.id].queue_name
        prefetch = max(self.route.inbound.prefetch, self.gate.most)
        if self.ports.queue.is_private:
            # There is nobody to leave messages for, and large groups of claims cost less.
            prefetch = max(prefetch, WINDOW // 2)
        while True:
            if not self.gate.is_open:
                self.is_ready.set()
                await self.gate.opened()
            async with self.ports.queue.subscribe(name, prefetch=prefetch) as subscription:
                self.is_ready.set()
                await self._consume(subscription)
            self._hand_back_what_waits()

    async def take_alone(self, message_id: UUID, *, verdict: FactflowError | None = None) -> None:
        """Take a suspect through this route, or with a verdict settle it as dead; pass over one that is taken.

        Only while nothing else is at work in this process. Returns when it is settled, or handed back at the end.
        """
        request = ClaimRequest(message_id=message_id, token=self.ports.ids.new_id(), alone=True)
        claim = await self.claims.ask(request)
        if claim is None:
            return
        work = Work(claim=claim)
        if self.inbox.is_closed:
            self.settlements.hand_in(work.given_up(), _ignore)
        elif verdict is not None:
            self._hand_in(work, settlement_of(claim, Outcome.DEAD, error=described(verdict)))
        else:
            self.quarantine.enter()
            self.inbox.begin(work)
            worker = self._begin(self._process(work))
            self._workers.add(worker)
            await asyncio.wait([worker])
        await self.settlements.drained()

    async def _consume(self, subscription: Subscription) -> None:
        """Receive until the gate closes."""
        receiving = asyncio.ensure_future(self._receive(subscription))
        closing = asyncio.ensure_future(self.gate.closing())
        try:
            await asyncio.wait([receiving, closing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            receiving.cancel()
            closing.cancel()
            await asyncio.gather(receiving, closing, return_exceptions=True)
        if not receiving.cancelled() and (error := receiving.exception()) is not None:
            raise error

    async def _receive(self, subscription: Subscription) -> None:
        while True:
            if self.inbox.is_heavy:
                await self.inbox.lightened()
            self._claim(await subscription.receive())

    def _hand_back_what_waits(self) -> None:
        for work in self.inbox.take_back():
            self._hand_in(work, work.given_up())

    async def close(self) -> Sequence[Settlement]:
        """Stop the work in progress at its next await; returns the settlements that put back what was claimed."""
        waiting = self.inbox.close()
        asked = [
            handed_back(envelope.message_id, envelope.execution_id, token, has_begun=False)
            for token, envelope in self._asked.items()
        ]
        await stopped(self._workers, f"the route {self.route.id}")
        return [*waiting, *asked]

    def _claim(self, delivery: Delivery) -> None:
        if self.inbox.is_closed:
            # What was to be handed back is listed already; the delivery goes back with its subscription.
            return
        envelope, token = delivery.envelope, self.ports.ids.new_id()
        # Noted before it is asked for: a claim may be committed after all of this has been closed.
        self._asked[token] = envelope
        self.quarantine.enter()
        request = ClaimRequest(message_id=envelope.message_id, token=token)
        self.claims.hand_in(request, partial(self._claimed, delivery, token))

    def _claimed(self, delivery: Delivery, token: UUID, claim: Claim | Exception | None) -> None:
        if self.inbox.is_closed or isinstance(claim, GroupClosed):
            return
        del self._asked[token]
        if isinstance(claim, Exception):
            self.quarantine.leave()
            self.crashed(claim)
        elif claim is None:
            self.quarantine.leave()
            # Mostly somebody has dealt with it. But it may have been too early for it: what the feed offered meanwhile
            # was dropped by a queue that still had this delivery.
            self.follow_up.after((), delivery, returns_at=self.ports.clock.now() + LOOKED_FOR_AGAIN)
        else:
            self._put(Work(claim=claim, delivery=delivery))
            self._staff()

    def _put(self, work: Work) -> None:
        """Take a claimed message in; one that comes after the gate has closed goes back."""
        self.inbox.put(work)
        if not self.gate.is_open:
            self._hand_back_what_waits()

    def _staff(self) -> None:
        """Begin one more worker if there is work and nobody free to take it up."""
        self._is_staffing = False
        is_anybody_free = len(self._workers) > self._at_work
        if len(self.inbox) and not is_anybody_free and len(self._workers) < self.gate.most:
            self._workers.add(self._begin(self._work()))

    def _staff_soon(self) -> None:
        """Look for more workers when the present one has come to its first wait, or to its end without any."""
        if not self._is_staffing and len(self.inbox):
            self._is_staffing = True
            asyncio.get_running_loop().call_soon(self._staff)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        worker = asyncio.create_task(work, name=f"worker {self.route.id}")
        worker.add_done_callback(self._leave)
        return worker

    def _leave(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        error = None if worker.cancelled() else worker.exception()
        if error is not None:
            self.crashed(error)
        else:
            self._staff()

    async def _work(self) -> None:
        until = self.ports.clock.monotonic() + LONGEST_STRETCH_SECONDS
        while len(self.inbox):
            now = await self._process_next()
            if now > until:
                # Pipeline adapters that never wait must not keep everything else from its turn.
                await asyncio.sleep(0)
                until = self.ports.clock.monotonic() + LONGEST_STRETCH_SECONDS

    async def _process_next(self) -> float:
        self._at_work += 1
        began = ended = 0.0
        try:
            if self.inbox.is_congested:
                await self.inbox.relieved()
            await self.gate.enter()
            work = self.inbox.next()
            if work is None:
                self.gate.forgo()
                return ended
            began = self.ports.clock.monotonic()
            self._staff_soon()
            try:
                await self._process(work)
            finally:
                ended = self.ports.clock.monotonic()
                self.gate.leave(began, ended)
        finally:
            self._at_work -= 1
        return ended

    async def _process(self, work: Work) -> None:
        self.ports.at("claimed")
        settlement = await self.attempt.settlement(work.claim)
        self.ports.at("processed")
        self._hand_in(work, settlement)

    def _hand_in(self, work: Work, settlement: Settlement) -> None:
        self.inbox.hands_in(work, settlement.children)
        self.settlements.hand_in(settlement, partial(self._settled, work, settlement))

    def _settled(self, work: Work, settlement: Settlement, settled: Settled | Exception) -> None:
        if isinstance(settled, GroupClosed):
            return
        if isinstance(settled, Exception):
            self._settle_otherwise(work, settlement, settled)
            return
        if self.inbox.settled(work):
            self.quarantine.leave()
        self.attempt.say(work.claim, settled)
        goes_back = settlement.outcome in _BACK_TO_THE_QUEUE
        self.follow_up.after(
            settled.published,
            work.delivery,
            returns_at=(settlement.not_before or self.ports.clock.now()) if goes_back else None,
        )
        # Of a run that was cancelled nothing is done or dead any more, whatever its adapters say.
        if settled.accepted and not goes_back and settled.finished is not ExecutionStatus.CANCELLED:
            self.attempt.tell_settled(work.claim, settlement)
            self.copies.after(work.claim, settlement)
        if settled.finished is not None:
            self.finished(settlement.execution_id, settled.finished)

    def _settle_otherwise(self, work: Work, settlement: Settlement, error: Exception) -> None:
        """The ledger refuses the settlement: the message is dead, unless that is refused as well."""
        dead = self.attempt.refused(work.claim, error)
        if dead is None or settlement.outcome is Outcome.DEAD:
            self.crashed(error)
        else:
            self._hand_in(work, dead)


_BACK_TO_THE_QUEUE = frozenset({Outcome.RETRY, Outcome.RELEASE, Outcome.HAND_BACK})


def _ignore(_: object) -> None:
    """Whether a message could be put back shows in the ledger, where the sweep finds it if not."""
