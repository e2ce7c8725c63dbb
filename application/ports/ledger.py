"""The message ledger: the one truth about which messages exist and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.execution import ExecutionStatus
from domain.message import Claim, Message, Settlement
from domain.values import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A wish to process one message, under a token that nobody else has.

    ``alone``: nothing else is at work in the process that asks, so it may have a suspect.
    """

    message_id: UUID
    token: UUID
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Children that the owner will process itself: they are claimed for it as they come into being.

    Each is under the token of the settlement that emits it, and in its first attempt. It saves the claim's own
    transaction where nobody else could take the message from the queue anyway.
    """

    owner: UUID
    message_ids: AbstractSet[UUID]


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of one settlement, or of one chunk of a fan-out.

    ``accepted``: the claim still held, or this very settlement had been accepted before. When not, nothing changed.
    ``published``: the children that now exist, to be handed to the queue (none when the execution was cancelled).
    ``handed_over``: those that exist and are claimed for the owner instead; no child is in both.
    ``finished``: the terminal status that this settlement brought the execution to, else None.
    """

    message_id: UUID
    accepted: bool
    published: Sequence[Message] = ()
    handed_over: Sequence[Message] = ()
    finished: ExecutionStatus | None = None


class Ledger(Protocol):
    """Claims and settles messages, many at a time, each call one transaction.

    Whatever dies when: a message is settled exactly once, and an execution ends in the transaction that settles its
    last message. Raises Unavailable when the store cannot be reached; the outcome is then unknown, and calling again
    with the same arguments is right.
    """

    async def claim(self, requests: Sequence[ClaimRequest], *, owner: UUID, now: datetime) -> Sequence[Claim]:
        """Claim those messages that are queued, due and of a running or interrupted execution, for the owner.

        Returns the claims that hold, in no particular order. A message already claimed under the very token of its
        request counts as claimed by it; any other is left out without an error, and so is a suspect (a message with
        ``SUSPECT_FROM`` crashes or more) unless it is asked for alone.
        """
        ...

    async def settle(
        self, settlements: Sequence[Settlement], *, now: datetime, handover: Handover | None = None
    ) -> Sequence[Settled]:
        """Settle claimed messages and bring their children into being; answers in the order asked.

        Children named in the handover are born claimed; one that exists already stays as it is, and is handed over
        only if it is claimed by that owner under that very token (the call is a repetition).

        A settlement whose token is not the message's changes nothing (``accepted`` is False), and neither does one that
        would end a message which another settlement of the same claim has put back; one that was accepted before is
        accepted again and its children are in ``published`` again. Settling a message of a cancelled
        execution makes it cancelled, without children. Children that exist are kept as they are; one that exists with
        other content raises EmissionChanged, a value the store cannot hold PayloadRejected: then nothing of the call
        is done, and the caller divides it to find the culprit.
        """
        ...

    async def extend(
        self,
        message_id: UUID,
        token: UUID,
        children: Sequence[Message],
        *,
        now: datetime,
        handover: Handover | None = None,
    ) -> Settled:
        """Bring a chunk of children into being while their parent is still being processed.

        Not accepted, and nothing is done, when the claim no longer holds or the execution is not running.
        """
        ...

    async def admit(self, message: Message, *, now: datetime) -> bool:
        """Bring a message into a running execution that no message of it has emitted, and count it as outstanding.

        False, and nothing is done, when the execution is not running or not there. Doing it twice is harmless. A message
        with a parent is no init message: when it dies, the execution goes on. Raises PayloadRejected.
        """
        ...

    async def waiting(
        self, execution_id: UUID, route_id: str, *, limit: int, now: datetime
    ) -> Sequence[UUID]:
        """Up to ``limit`` ids of queued messages of a route that are due and no suspects, the oldest first.

        None once the execution has ended: they could not be claimed.
        """
        ...

    async def next_due(self, execution_id: UUID, route_id: str, *, after: datetime) -> datetime | None:
        """The earliest ``not_before`` later than a moment among a route's queued messages, None when there is none."""
        ...
