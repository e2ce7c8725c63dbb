"""Dead letters: finding them, putting them back in the queue, erasing them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

from application.engine.claim_check import checked_out
from application.engine.engine import Engine
from application.engine.redriving import require_runnable, take_up
from application.executions import Executions
from application.ports.dead_letters import DeadLetterPage, DeadLetterPosition, Redriven
from application.ports.dead_letters import DeadLetters as DeadLettersPort
from application.purged_payloads import PurgedPayloads
from domain.claim_check import PayloadGone
from domain.dead_letter import DeadLetter, DeadLetterFilter, DeadLetterPurged
from domain.errors import FactflowError, Invalid, Unavailable
from domain.pipeline import Pipeline

BATCH = 1000
EXECUTIONS_AT_ONCE = 100


class NothingWanted(Invalid):
    """Say which dead letters are meant, or that all of them are."""

    code = "nothing_wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrivenExecution:
    """What redriving did to one execution: how many messages, and why it left off when it did."""

    execution_id: UUID
    messages: int
    refusal: FactflowError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """What can be done with dead letters. ``limit`` is how many executions may run at once."""

    letters: DeadLettersPort
    executions: Executions
    engine: Engine
    limit: int

    async def list(
        self,
        wanted: DeadLetterFilter,
        *,
        limit: int = 100,
        offset: int = 0,
        after: DeadLetterPosition | None = None,
    ) -> DeadLetterPage:
        """A page of the dead letters meant, the earliest dead first, without the purged ones.

        Of a payload that is kept in storage the page has the reference.
        """
        return await self.letters.list(wanted, limit=limit, offset=offset, after=after)

    async def get(self, message_id: UUID) -> DeadLetter:
        """One dead letter, a purged one too, with its payload; raises DeadLetterNotFound, MessageNotDead, Unavailable."""
        letter = await self.letters.get(message_id)
        try:
            return replace(letter, message=await checked_out(self.engine.ports.storage, letter.message))
        except PayloadGone:
            return letter

    async def redrive(self, message_id: UUID) -> Redriven:
        """Put one dead letter back in the queue, and let its execution go on.

        Raises DeadLetterNotFound, MessageNotDead, DeadLetterPurged, RedriveNotAllowed, SnapshotNotRunnable and
        TooManyConcurrentExecutions; then nothing has changed.
        """
        letter = await self.letters.get(message_id)
        if letter.purged_at is not None:
            raise DeadLetterPurged
        execution_id = letter.message.execution_id
        pipeline = await self._runnable(execution_id)
        redriven = await self._put_back(execution_id, DeadLetterFilter(message_id=message_id), limit=1)
        if not redriven.messages:
            # Somebody else was quicker: what has become of it tells what is wrong.
            await self.letters.get(message_id)
            raise DeadLetterPurged
        await take_up(self.engine, redriven, pipeline)
        return redriven

    async def redrive_all(self, wanted: DeadLetterFilter) -> AsyncIterator[RedrivenExecution]:
        """Put those meant that are dead by now back in the queue, and tell of each execution when it is done with.

        In batches, each a transaction: to begin again after a failure is right. An execution that cannot be reopened
        is left as it is, with the reason; those of cancelled executions and purged ones are passed over.
        """
        now = self.engine.ports.clock.now()
        # What dies while we are at it is not meant, or this might never end.
        wanted = replace(wanted, dead_before=min(wanted.dead_before or now, now))
        after: UUID | None = None
        while True:
            found = await self.letters.executions(wanted, limit=EXECUTIONS_AT_ONCE, after=after)
            for execution_id in found:
                yield await self._redriven(execution_id, wanted)
            if len(found) < EXECUTIONS_AT_ONCE:
                return
            after = found[-1]

    async def purge(self, message_id: UUID) -> None:
        """Erase one dead letter for good; again changes nothing. Raises DeadLetterNotFound, MessageNotDead, Unavailable.

        After Unavailable its payload may still be in storage: the next purge erases it, or ``erase_payloads``.
        """
        wanted = DeadLetterFilter(message_id=message_id)
        if not await self.letters.purge(wanted, limit=1, now=self.engine.ports.clock.now()):
            await self.letters.get(message_id)
        await self.erase_payloads()

    async def purge_all(self, wanted: DeadLetterFilter) -> int:
        """Erase those meant that are dead by now, in batches; returns how many."""
        now = self.engine.ports.clock.now()
        wanted = replace(wanted, dead_before=min(wanted.dead_before or now, now))
        count = 0
        while purged := await self.letters.purge(wanted, limit=BATCH, now=now):
            count += purged
        await self.erase_payloads()
        return count

    async def erase_payloads(self) -> int:
        """Delete the payloads in storage of what has been purged, whoever purged it; returns how many.

        The ledger remembers them until they are gone, so that none outlives a failure of storage or of this process.
        """
        return await PurgedPayloads(letters=self.letters, storage=self.engine.ports.storage).erase()

    async def _redriven(self, execution_id: UUID, wanted: DeadLetterFilter) -> RedrivenExecution:
        messages = 0
        try:
            pipeline = await self._runnable(execution_id)
            while (redriven := await self._put_back(execution_id, wanted, limit=BATCH)).messages:
                messages += redriven.messages
                await take_up(self.engine, redriven, pipeline)
        except Unavailable:
            raise
        except FactflowError as error:
            return RedrivenExecution(execution_id=execution_id, messages=messages, refusal=error)
        return RedrivenExecution(execution_id=execution_id, messages=messages)

    async def _runnable(self, execution_id: UUID) -> Pipeline:
        execution = await self.executions.get(str(execution_id))
        return require_runnable(self.engine, execution.reopened())

    async def _put_back(self, execution_id: UUID, wanted: DeadLetterFilter, *, limit: int) -> Redriven:
        try:
            return await self.letters.redrive(execution_id, wanted, limit=limit, places=self.limit)
        except Unavailable:
            # Whether it was committed is not known: an execution that runs here looks, recovery takes up any other.
            self.engine.look_in_ledger(execution_id)
            raise


def require_anything(wanted: DeadLetterFilter, *, is_all_meant: bool) -> DeadLetterFilter:
    """The filter, unless it is empty by oversight; raises NothingWanted."""
    if wanted.is_everything is not is_all_meant:
        raise NothingWanted
    return wanted
