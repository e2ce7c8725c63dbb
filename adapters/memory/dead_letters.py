"""Dead letters over a ledger in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from adapters.memory.ledger import MemoryLedger
from adapters.memory.message_row import MessageRow
from application.ports.counting import COUNTED_EXACTLY
from application.ports.dead_letters import (
    DeadLetterPage,
    DeadLetterPosition,
    Redriven,
    position_of,
)
from domain.claim_check import hash_referred_to, payload_key
from domain.crash import SUSPECT_FROM
from domain.dead_letter import DeadLetter, DeadLetterFilter, DeadLetterNotFound, MessageNotDead
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus, TooManyConcurrentExecutions
from domain.message import MessageState


class MemoryDeadLetters:
    """The ``DeadLetters`` port over the rows of a ``MemoryLedger``: two sides of one double."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._rows = ledger._rows  # noqa: SLF001 (see above)
        self._unerased: dict[str, None] = {}

    async def list(
        self,
        wanted: DeadLetterFilter,
        *,
        limit: int,
        offset: int = 0,
        after: DeadLetterPosition | None = None,
    ) -> DeadLetterPage:
        """See the port."""
        found = [letter for _, letter in self._meant(wanted)]
        start = (after.dead_at, after.message_id) if after else None
        rest = [one for one in found if start is None or (one.dead_at, one.message.id) > start][offset:]
        return DeadLetterPage(
            letters=rest[:limit],
            total=min(len(found), COUNTED_EXACTLY),
            is_total_exact=len(found) <= COUNTED_EXACTLY,
            following=position_of(rest[limit - 1]) if len(rest) > limit else None,
        )

    async def get(self, message_id: UUID) -> DeadLetter:
        """See the port."""
        row = self._rows.get(message_id)
        if row is None:
            raise DeadLetterNotFound(f"there is no message {message_id}")
        letter = self._letter(row)
        if letter is None:
            raise MessageNotDead(f"the message is {row.state}, not dead")
        return letter

    async def executions(
        self, wanted: DeadLetterFilter, *, limit: int, after: UUID | None = None
    ) -> Sequence[UUID]:
        """See the port."""
        found = {letter.message.execution_id for _, letter in self._meant(wanted)}
        executions = self._ledger.executions
        open_ones = [one for one in found if executions[one].status is not ExecutionStatus.CANCELLED]
        return [one for one in sorted(open_ones) if after is None or one > after][:limit]

    async def redrive(
        self, execution_id: UUID, wanted: DeadLetterFilter, *, limit: int, places: int | None
    ) -> Redriven:
        """See the port."""
        before = self._ledger.executions.get(execution_id)
        if before is None:
            raise ExecutionNotFound(f"there is no execution {execution_id}")
        reopened = before.reopened()
        meant = self._meant(wanted)
        rows = [row for row, letter in meant if letter.message.execution_id == execution_id][:limit]
        if not rows:
            return Redriven(messages=0, execution=before)
        if before.status.is_terminal:
            self._require_place(places)
        for row in rows:
            row.retries, row.crashes = 0, min(row.crashes, SUSPECT_FROM)
            self._requeue(row)
        self._restore_cancelled(before)
        counts = self._ledger.executions[execution_id].counts
        after = self._ledger.executions[execution_id] = replace(reopened, counts=counts)
        return Redriven(
            messages=len(rows),
            execution=after,
            reopened_from=before.status if before.status.is_terminal else None,
        )

    async def purge(self, wanted: DeadLetterFilter, *, limit: int, now: datetime) -> int:
        """See the port."""
        purged = [row for row, _ in self._meant(wanted)][:limit]
        for row in purged:
            row.purged_at = now
        self._unerased |= {
            payload_key(row.message.execution_id, row.message.id, hashed): None
            for row in purged
            if (hashed := hash_referred_to(row.message.payload))
        }
        return len(purged)

    async def unerased(self, *, limit: int, erased: Sequence[str] = ()) -> Sequence[str]:
        """See the port."""
        for key in erased:
            self._unerased.pop(key, None)
        return list(self._unerased)[:limit]

    def _meant(self, wanted: DeadLetterFilter) -> Sequence[tuple[MessageRow, DeadLetter]]:
        found = [(row, self._letter(row)) for row in self._rows.values()]
        there = [
            (row, letter)
            for row, letter in found
            if letter and letter.purged_at is None and wanted.holds(letter)
        ]
        return sorted(there, key=lambda one: (one[1].dead_at, one[1].message.id))

    def _require_place(self, places: int | None) -> None:
        executions = self._ledger.executions.values()
        running = sum(one.status is ExecutionStatus.RUNNING for one in executions)
        if places is not None and running >= places:
            raise TooManyConcurrentExecutions(f"{running} executions are running, and {places} is the limit")

    def _restore_cancelled(self, before: Execution) -> None:
        if before.status is not ExecutionStatus.FAILED:
            return
        for row in list(self._rows.values()):
            if row.message.execution_id == before.id and row.state is MessageState.CANCELLED:
                self._requeue(row)

    def _requeue(self, row: MessageRow) -> None:
        self._ledger._move(row, MessageState.QUEUED)  # noqa: SLF001 (see above)
        row.token = row.owner = row.not_before = row.settled_at = None

    def _letter(self, row: MessageRow) -> DeadLetter | None:
        if row.state is not MessageState.DEAD or row.settled_at is None:
            return None
        letter = DeadLetter(
            message=row.message,
            error=row.error or {},
            attempts=row.attempt,
            retries=row.retries,
            dead_at=row.settled_at,
        )
        if row.purged_at is None:
            return letter
        emptied = replace(row.message, payload={}, metadata={})
        return replace(letter, message=emptied, error={}, purged_at=row.purged_at)
