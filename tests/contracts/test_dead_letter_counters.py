"""Whatever is done with dead letters, the counters of an execution equal its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.database import Database
from application.ports.ledger import ClaimRequest
from domain.dead_letter import DeadLetterFilter
from domain.errors import Conflict, Unavailable
from domain.execution import Execution, ExecutionStatus, MessageCounts
from domain.message import Claim, Outcome
from tests.contracts.dead_letters import REASON, Mailroom, memory_room, postgres_room
from tests.contracts.ledgers import NOW, OWNER, children, settlement

# A cancelled execution stays cancelled, so there is little to see after it; the others come as often as they matter.
ACTS = (
    *("die", "redrive", "fail", "discard") * 3,
    *("do", "skip", "retry", "fan", "release", "redrive_one", "purge", "purge_one", "zombie", "cancel"),
)
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 1_000_000)), min_size=10, max_size=60)
OUTCOMES = {
    "die": Outcome.DEAD,
    "do": Outcome.DONE,
    "skip": Outcome.SKIPPED,
    "retry": Outcome.RETRY,
    "release": Outcome.RELEASE,
    "fan": Outcome.DONE,
}


class Clerk:
    """Does at random what may be done with the messages of one execution."""

    def __init__(self, room: Mailroom, execution: Execution) -> None:
        self.room, self.execution = room, execution
        self.claims: list[Claim] = []

    async def act(self, name: str, chance: int) -> None:
        """One thing; what is not allowed now is refused and changes nothing."""
        with suppress(Conflict):
            if name in OUTCOMES:
                await self._settle(name, chance)
            elif name == "zombie":
                await self._settle_late(chance)
            elif name in {"fail", "cancel", "discard"}:
                await self._end(name, chance)
            else:
                await self._deal_with_letters(name, chance)

    async def _end(self, name: str, chance: int) -> None:
        executions = self.room.ledgers.executions
        if name == "discard":
            await executions.discard_queued(self.execution.id, limit=chance % 4 + 1, now=NOW)
        elif name == "fail":
            await executions.conclude(self.execution.id, ExecutionStatus.FAILED, now=NOW)
        elif chance % 8 == 7:
            await executions.conclude(self.execution.id, ExecutionStatus.CANCELLED, now=NOW)

    async def _deal_with_letters(self, name: str, chance: int) -> None:
        letters, execution_id = self.room.letters, self.execution.id
        act, _, how_many = name.partition("_")
        message_id = self._message(chance) if how_many else None
        wanted = DeadLetterFilter(execution_id=execution_id, message_id=message_id)
        if act == "redrive":
            await letters.redrive(execution_id, wanted, limit=chance % 3 + 1, places=None)
        else:
            await letters.purge(wanted, limit=chance % 3, now=NOW)

    def _message(self, chance: int) -> UUID:
        return self.claims[chance % len(self.claims)].message.id if self.claims else uuid4()

    async def _settle(self, name: str, chance: int) -> None:
        messages = self.room.ledgers.messages
        waiting: list[UUID] = []
        for route in ("first", "second"):
            waiting += await messages.waiting(self.execution.id, route, limit=100, now=NOW)
        if not waiting:
            return
        request = ClaimRequest(message_id=waiting[chance % len(waiting)], token=uuid4())
        claims = await messages.claim([request], owner=OWNER, now=NOW)
        for claim in claims:
            self.claims.append(claim)
            names = [str(number) for number in range(chance % 4)] if name == "fan" else []
            error = REASON if name in {"die", "retry"} else None
            settled = settlement(claim, OUTCOMES[name], children=children(claim, *names), error=error)
            await messages.settle([settled], now=NOW)

    async def _settle_late(self, chance: int) -> None:
        if self.claims:
            claim = self.claims[chance % len(self.claims)]
            late = settlement(claim, Outcome.DEAD, error=REASON)
            await self.room.ledgers.messages.settle([late], now=NOW)

    async def check(self) -> None:
        """The counters are the rows; what goes on has something to do, and what has ended by itself has not."""
        seen = await self.room.ledgers.seen(self.execution.id)
        states = await self.room.states(self.execution.id)
        assert seen.counts == MessageCounts(
            outstanding=states.get("queued", 0) + states.get("claimed", 0),
            done=states.get("done", 0),
            skipped=states.get("skipped", 0),
            dead=states.get("dead", 0),
            cancelled=states.get("cancelled", 0),
        )
        is_going_on = seen.status is ExecutionStatus.RUNNING
        assert is_going_on or seen.status is not ExecutionStatus.COMPLETED or not seen.counts.outstanding
        assert not is_going_on or seen.counts.outstanding
        if seen.status in {ExecutionStatus.RUNNING, ExecutionStatus.COMPLETED}:
            assert not seen.counts.cancelled


async def play(room: Mailroom, steps: Sequence[tuple[str, int]]) -> None:
    """A run with a fan of three, to which those things are done one after another."""
    execution, _ = await room.children(*"abc")
    clerk = Clerk(room, execution)
    for name, chance in steps:
        await clerk.act(name, chance)
        await clerk.check()


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_counters_equal_rows_after_any_sequence(steps: list[tuple[str, int]]) -> None:
    """In memory, after every step."""
    asyncio.run(play(memory_room(), steps))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
async def test_counters_equal_rows_after_any_sequence_in_postgres(seed: int, database: Database) -> None:
    """The same, for sequences of a hundred steps."""
    random = Random(seed)
    await play(
        postgres_room(database), [(random.choice(ACTS), random.randrange(1_000_000)) for _ in range(100)]
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_counters_equal_rows_after_many_at_once_in_postgres(seed: int, database: Database) -> None:
    """Six who settle, redrive, purge, fail and discard at the same time; nobody waits for ever."""
    room = postgres_room(database)
    execution, _ = await room.children(*map(str, range(20)))

    async def at_random(number: int) -> None:
        random, clerk = Random(f"{seed} {number}"), Clerk(room, execution)
        for _ in range(40):
            with suppress(
                Unavailable
            ):  # a deadlock that PostgreSQL has resolved: the whole is to be tried again
                await clerk.act(random.choice(ACTS), random.randrange(1, 20))

    async with asyncio.timeout(60):
        await asyncio.gather(*map(at_random, range(6)))
    clerk = Clerk(room, execution)
    await clerk.check()
