"""The ledger's dead letters: found, put back in the queue, erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.dead_letter import DeadLetter, DeadLetterFilter
from domain.execution import Execution, ExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterPosition:
    """A place in the order of dead letters: by ``dead_at``, then by message id."""

    dead_at: datetime
    message_id: UUID


def position_of(letter: DeadLetter) -> DeadLetterPosition:
    """Where a dead letter stands in the order."""
    return DeadLetterPosition(dead_at=letter.dead_at, message_id=letter.message.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterPage:
    """A page of dead letters.

    ``total`` counts all that are meant, wherever the page begins, up to COUNTED_EXACTLY: ``is_total_exact`` tells
    whether that is all. ``following`` is where the next page begins, None on the last one.
    """

    letters: Sequence[DeadLetter]
    total: int
    is_total_exact: bool = True
    following: DeadLetterPosition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What one batch put back in the queue, and its execution as it stands since.

    ``reopened_from`` is the terminal status that the batch brought the execution back from, else None.
    """

    messages: int
    execution: Execution
    reopened_from: ExecutionStatus | None = None


class DeadLetters(Protocol):
    """Reads, redrives and purges dead messages; each call is one transaction.

    A purged dead letter is dead for good: its row stays, so that counts hold, but only ``get`` still shows it.
    """

    async def list(
        self,
        wanted: DeadLetterFilter,
        *,
        limit: int,
        offset: int = 0,
        after: DeadLetterPosition | None = None,
    ) -> DeadLetterPage:
        """A page of the dead letters meant, the earliest dead first, without the purged ones.

        It begins after a position, which need not exist any more, and passes over ``offset`` more.
        """
        ...

    async def get(self, message_id: UUID) -> DeadLetter:
        """One dead letter, a purged one too; raises DeadLetterNotFound, MessageNotDead."""
        ...

    async def executions(
        self, wanted: DeadLetterFilter, *, limit: int, after: UUID | None = None
    ) -> Sequence[UUID]:
        """The executions that have dead letters meant which can be redriven, by id, from after an id.

        Those of cancelled executions and purged ones cannot.
        """
        ...

    async def redrive(
        self, execution_id: UUID, wanted: DeadLetterFilter, *, limit: int, places: int | None
    ) -> Redriven:
        """Put up to ``limit`` dead letters of an execution back in the queue, the earliest dead first.

        By compare-and-set from dead to queued: due at once, with all their retries, under no claim; attempts go on
        counting and the error stays until the message settles anew. The execution's counters move with them. An
        execution that was completed or failed is running again, in its next generation; what had been settled as
        cancelled because it failed is queued again too. Where nothing meant is dead, nothing changes.
        Raises ExecutionNotFound, RedriveNotAllowed for a cancelled execution, and TooManyConcurrentExecutions when it
        has to be reopened and ``places`` or more executions are running; then nothing changes.
        """
        ...

    async def purge(self, wanted: DeadLetterFilter, *, limit: int, now: datetime) -> int:
        """Erase payload, metadata and error of up to ``limit`` dead letters, the earliest dead first; returns how many.

        Of a payload in storage the key is remembered as ``unerased``. The counters stay as they are. Purging again
        changes nothing.
        """
        ...

    async def unerased(self, *, limit: int, erased: Sequence[str] = ()) -> Sequence[str]:
        """The storage keys of up to ``limit`` payloads of purged dead letters that are not known to be erased.

        Those that are ``erased`` by now are forgotten first; unknown ones are passed over.
        """
        ...
