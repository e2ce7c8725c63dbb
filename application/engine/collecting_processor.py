"""Processes a route whose first pipeline adapter collects: messages wait in groups, and groups are settled as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from application.engine.attempt import settlement_of
from application.engine.claim_check import checked_out
from application.engine.collecting_inbox import CollectingInbox
from application.engine.group_attempt import GroupAttempt
from application.engine.group_commit import GroupClosed, GroupCommit
from application.engine.inbox import Work
from application.engine.route_processor import RouteProcessor
from application.ports.ledger import Settled
from domain.errors import FactflowError
from domain.message import Outcome, Settlement


@dataclass(slots=True, kw_only=True, eq=False)
class CollectingProcessor(RouteProcessor):
    """What waits in a forming group has no slot of the gate and no delivery of the broker; a group at work has one slot.

    What has been claimed and is not at work goes back when the gate closes, as on any route.
    """

    inbox: CollectingInbox
    group_attempt: GroupAttempt
    together: GroupCommit[Sequence[Settlement], Sequence[Settled]]

    def flush_due(self) -> None:
        """Have the groups worked on whose time is up."""
        self.inbox.flush_due()
        self._staff()

    def flush(self) -> None:
        """Have every group worked on as it is."""
        self.inbox.flush()
        self._staff()

    async def take_alone(self, message_id: UUID, *, verdict: FactflowError | None = None) -> None:
        """As on any route; the message is a group by itself."""
        await super(CollectingProcessor, self).take_alone(message_id, verdict=verdict)
        await self.together.drained()

    def _put(self, work: Work) -> None:
        super(CollectingProcessor, self)._put(work)
        self._acknowledge_what_is_held()

    def _acknowledge_what_is_held(self) -> None:
        """The claims alone stand for messages that wait: a broker would give no more of them before long."""
        for work in self.inbox.unacknowledged():
            # It stays with its message all the same, and says by which one to look when that goes back.
            self.follow_up.after((), work.delivery)

    async def _process(self, work: Work) -> None:
        gathered = self.inbox.gathered(work)
        if not gathered.is_sorted:
            await self._sort(work)
            return
        self.ports.at("claimed")
        works = gathered.works
        outcome = await self.group_attempt.outcome([one.claim for one in works])
        self.ports.at("processed")
        if outcome.are_one:
            for one, settlement in zip(works, outcome.settlements, strict=True):
                self.inbox.hands_in(one, settlement.children)
            done = partial(self._settled_together, works, outcome.settlements)
            self.together.hand_in(outcome.settlements, done)
        elif outcome.settlements:
            self._hand_in_each(works, outcome.settlements)
        else:
            self._take_apart(works)

    async def _sort(self, work: Work) -> None:
        """See to which group a message belongs whose payload is in storage; the payload is not held meanwhile."""
        try:
            message = await checked_out(self.ports.storage, work.claim.message)
        except FactflowError as error:
            self._hand_in(work, self.attempt.failed(work.claim, error, None, objects=()))
            return
        self.inbox.sort(work, message.payload)
        self._see_to_gate()
        self._acknowledge_what_is_held()

    def _settled_together(
        self, works: Sequence[Work], settlements: Sequence[Settlement], settled: Sequence[Settled] | Exception
    ) -> None:
        if isinstance(settled, GroupClosed):
            return
        if isinstance(settled, FactflowError) and len(works) > 1:
            # The ledger refuses it, and who of them it is that it refuses shows when each is by itself.
            self._take_apart(works)
        elif isinstance(settled, Exception):
            self._settle_otherwise(works[0], settlements[0], settled)
        elif all(one.accepted for one in settled):
            for work, settlement, one in zip(works, settlements, settled, strict=True):
                self._settled(work, settlement, one)
        else:
            self._put_back(works)

    def _settled(self, work: Work, settlement: Settlement, settled: Settled | Exception) -> None:
        super(CollectingProcessor, self)._settled(work, settlement, settled)
        # Where there was no room for more deliveries, there may be now.
        self._acknowledge_what_is_held()

    def _put_back(self, works: Sequence[Work]) -> None:
        """One of them is not ours any more: the others come again, and form groups anew."""
        for work in works:
            self.attempt.say_nothing(work.claim)
        self._hand_in_each(works, [settlement_of(work.claim, Outcome.RELEASE) for work in works])

    def _hand_in_each(self, works: Sequence[Work], settlements: Sequence[Settlement]) -> None:
        for work, settlement in zip(works, settlements, strict=True):
            self._hand_in(work, settlement)

    def _take_apart(self, works: Sequence[Work]) -> None:
        for work in works:
            self.attempt.say_nothing(work.claim)
        self.inbox.take_apart(works)
        self._see_to_gate()
        self._staff()

    def _see_to_gate(self) -> None:
        if not self.gate.is_open:
            self._hand_back_what_waits()
