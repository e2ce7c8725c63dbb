"""Of the two ways in which PostgreSQL settles a group, the quick one does what the stepwise one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres.database import Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from application.ports.ledger import ClaimRequest, Handover, Settled
from domain.errors import FactflowError
from domain.execution import ExecutionStatus
from domain.message import Claim, Message, Outcome, Settlement
from tests.contracts.ledgers import NOW, OWNER, Ledgers, children, init_message, new_execution, settlement
from tests.databases import fresh_database

pytestmark = pytest.mark.slow

# With this, nothing is plain and every group goes step by step.
_NOTHING_IS_PLAIN = """
    CREATE OR REPLACE FUNCTION settle_plainly(
        asked_ids uuid[], asked_tokens uuid[], asked_states text[],
        children json, child_count bigint, child_owner uuid,
        execution_ids uuid[], now_done bigint[], now_skipped bigint[], now_born bigint[], moment timestamptz
    ) RETURNS TABLE (execution_id uuid, execution_status text)
    LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'test' USING ERRCODE = 'FF001'; END $$
"""

# A group that fell back has used up positions, so only their order counts.
_MESSAGES = """
    SELECT id, execution_id, route_id, state, payload, metadata, parent_id, parent_correlation_id, attempt, retries,
           not_before, claim_token, claimed_by, error, settled_at, purged_at, crashes, rank() OVER (ORDER BY position)
    FROM message ORDER BY id
"""
_EXECUTIONS = "SELECT to_jsonb(e) FROM pipeline_execution e ORDER BY id"

_OUTCOMES = [Outcome.DONE] * 20 + [Outcome.SKIPPED] * 6
_OUT_OF_THE_ORDINARY = [Outcome.DEAD, Outcome.RETRY, Outcome.RELEASE, Outcome.HAND_BACK]
_PAYLOADS: list[Any] = [
    "a", "é ☃ 𝄞", "\u2028\ufeff\x7f", "\ud834\udd1e", "\\u0000", '"\\', 10**40, -0.0, 1e308, 5e-324, None, [], {"": {}},
    "\0", "\ud800", float("inf"),
]  # fmt: skip
_STORABLE = len(_PAYLOADS) - 3


class Twins:
    """Two databases to which the same happens; the first settles plainly what is plain, the second step by step."""

    def __init__(self, databases: Sequence[Database], seed: int) -> None:
        self.databases = databases
        self.ledgers = [Ledgers(PostgresLedger(one), PostgresExecutionLedger(one)) for one in databases]
        self.random = Random(seed)
        self.executions: list[UUID] = []
        self.claims: list[Claim] = []
        self.asked: list[tuple[Sequence[Settlement], Handover | None]] = []

    async def both(self, act: Callable[[Ledgers], Awaitable[Any]]) -> Any:
        """What comes of it, which must be the same, errors included."""
        first, second = [await _outcome(act(ledgers)) for ledgers in self.ledgers]
        assert first == second
        return first

    async def require_alike(self) -> None:
        """Every row of both ledgers is the same."""
        for statement in (_MESSAGES, _EXECUTIONS):
            first, second = [await _rows(database, statement) for database in self.databases]
            assert first == second

    async def begin(self) -> None:
        """A new execution, at times one that is not allowed many dead letters."""
        execution = new_execution(max_dead_letters=self.random.choice([None, 0, 2]))
        self.executions.append(execution.id)
        await self.both(lambda ledgers: ledgers.executions.start(execution, init_message(execution)))

    async def claim(self) -> None:
        """Claim some of what waits."""
        execution_id, route = self.random.choice(self.executions), self.random.choice(["first", "second"])
        waiting = await self.both(
            lambda ledgers: ledgers.messages.waiting(execution_id, route, limit=12, now=NOW)
        )
        requests = [ClaimRequest(message_id=one, token=uuid4()) for one in waiting]
        claims = await self.both(lambda ledgers: _claims(ledgers, requests))
        self.claims += claims

    async def settle(self) -> None:
        """A group: mostly plain, at times with what is not, and at times one that was asked for before."""
        if self.asked and self.random.random() < 0.15:
            settlements, handover = self.random.choice(self.asked)
        else:
            chosen = self.random.sample(self.claims, min(len(self.claims), self.random.randrange(12)))
            is_odd = self.random.random() < 0.3
            settlements = [self._settlement(claim, is_odd=is_odd) for claim in chosen]
            handover = self._handover([child for one in settlements for child in one.children])
            self.asked.append((settlements, handover))
        later = NOW + timedelta(seconds=self.random.randrange(100))
        answers = await self.both(
            lambda ledgers: ledgers.messages.settle(settlements, now=later, handover=handover)
        )
        if isinstance(answers, list):
            self._take_over(settlements, answers)
            # What is settled is seldom settled again.
            done = {one.message_id for one in settlements if self.random.random() < 0.9}
            self.claims = [claim for claim in self.claims if claim.message.id not in done]

    def _settlement(self, claim: Claim, *, is_odd: bool) -> Settlement:
        is_this = is_odd and self.random.random() < 0.3
        outcome = self.random.choice(_OUT_OF_THE_ORDINARY if is_this else _OUTCOMES)
        token = uuid4() if is_odd and self.random.random() < 0.1 else claim.token
        names = [str(self.random.randrange(6 if is_odd else 10**9)) for _ in range(self.random.randrange(4))]
        born = children(claim, *names, route=self.random.choice(["first", "second"]))
        for child in born:
            is_bad = is_odd and self.random.random() < 0.05
            value = self.random.choice(_PAYLOADS if is_bad else _PAYLOADS[:_STORABLE])
            object.__setattr__(child, "payload", {"name": child.payload["name"] if is_odd else value})
            object.__setattr__(child, "metadata", {"origin": value} if is_bad else {})
        return Settlement(
            message_id=claim.message.id,
            execution_id=claim.message.execution_id,
            token=token,
            outcome=outcome,
            children=born if outcome is Outcome.DONE else (),
            error={"code": "odd"} if outcome in {Outcome.DEAD, Outcome.RETRY} else None,
            not_before=NOW - timedelta(seconds=1) if outcome is Outcome.RETRY else None,
        )

    def _handover(self, born: Sequence[Message]) -> Handover | None:
        taken = {child.id for child in born if self.random.random() < 0.4}
        return Handover(owner=OWNER, message_ids=taken) if taken else None

    def _take_over(self, settlements: Sequence[Settlement], answers: Sequence[Settled]) -> None:
        for one, answer in zip(settlements, answers, strict=True):
            for child in answer.handed_over:
                self.claims.append(Claim(message=child, token=one.token, attempt=1))

    async def extend(self) -> None:
        """A chunk of a fan-out, of which some may come again with the settlement."""
        if self.claims:
            claim = self.random.choice(self.claims)
            born = children(claim, str(self.random.randrange(6)))
            await self.both(
                lambda ledgers: ledgers.messages.extend(claim.message.id, claim.token, born, now=NOW)
            )

    async def disturb(self) -> None:
        """Something happens to an execution, or to all that this owner has claimed."""
        execution_id, act = self.random.choice(self.executions), self.random.randrange(8)
        status = [ExecutionStatus.CANCELLED, ExecutionStatus.FAILED, *[ExecutionStatus.INTERRUPTED] * 3][
            act % 5
        ]
        if act == 7:
            live = self.random.choice([[], [OWNER]])
            await self.both(lambda ledgers: ledgers.executions.sweep(live_owners=live, now=NOW))
        elif act == 6:
            await self.both(lambda ledgers: ledgers.executions.discard_queued(execution_id, limit=3, now=NOW))
        else:
            await self.both(lambda ledgers: ledgers.executions.conclude(execution_id, status, now=NOW))


async def _claims(ledgers: Ledgers, requests: Sequence[ClaimRequest]) -> Sequence[Claim]:
    claims = await ledgers.messages.claim(requests, owner=OWNER, now=NOW)
    return sorted(claims, key=lambda claim: claim.message.id)


async def _outcome(act: Awaitable[Any]) -> Any:
    try:
        return await act
    except FactflowError as error:
        return type(error), error.message


async def _rows(database: Database, statement: str) -> Sequence[tuple[Any, ...]]:
    async with database.connection() as connection:
        return await (await connection.execute(statement.encode())).fetchall()


@pytest.fixture
async def databases(embedded_postgres_url: str) -> AsyncIterator[Sequence[Database]]:
    async with fresh_database(embedded_postgres_url) as one, fresh_database(embedded_postgres_url) as other:
        async with other.connection() as connection:
            await connection.execute(_NOTHING_IS_PLAIN)
        yield one, other


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.soak) for n in range(4, 40))]
)
async def test_both_ways_write_and_answer_the_same(databases: Sequence[Database], seed: int) -> None:
    """Whatever has happened before, and whatever is in the group."""
    twins = Twins(databases, seed)
    acts = [twins.begin] + [twins.claim] * 6 + [twins.settle] * 12 + [twins.extend] * 2 + [twins.disturb]
    await twins.begin()
    for _ in range(120):
        await twins.random.choice(acts)()
    await twins.require_alike()


async def _claimed_children(ledgers: Ledgers, count: int) -> list[Claim]:
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    born = children(claim, *map(str, range(count)))
    await ledgers.settled(claim, children=born)
    return await ledgers.claimed(*(child.id for child in born))


async def test_groups_that_overlap_do_not_wait_for_each_other(database: Database) -> None:
    """Of three that settle the same in any order, two wait for the first; a deadlock would be Unavailable."""
    ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
    claims = await _claimed_children(ledgers, 100)
    up = sorted((settlement(claim) for claim in claims), key=lambda one: one.message_id)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, database.transaction() as connection:
        # Both come to the one in the middle, and hold what they have locked on the way to it.
        held = up[50].message_id
        await connection.execute("SELECT FROM message WHERE id = %s FOR UPDATE", (held,))
        for group in (up, up[::-1]):
            tasks.create_task(ledgers.messages.settle(group, now=NOW))
        await _until_waiting(database, 2)
    assert (await ledgers.seen(up[0].execution_id)).counts.done == 101


async def test_what_is_left_over_is_locked_by_its_ids(database: Database) -> None:
    """Though it is taken in the order in which it came; who claims the same does not wait in a circle with that."""
    ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
    execution = await ledgers.started()
    first = await ledgers.claimed_init(execution)
    born = sorted(children(first, *map(str, range(20))), key=lambda child: child.id)
    for child in reversed(born):
        await ledgers.messages.extend(first.message.id, first.token, [child], now=NOW)
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    claim, discard = ledgers.claimed(*(child.id for child in born)), ledgers.executions.discard_queued
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, database.transaction() as connection:
        await connection.execute("SELECT FROM message WHERE id = %s FOR UPDATE", (born[10].id,))
        tasks.create_task(claim)
        await _until_waiting(database, 1)
        discarding = tasks.create_task(discard(execution.id, limit=15, now=NOW))
        await _until_waiting(database, 2)
    assert discarding.result() == 15
    assert (await ledgers.seen(execution.id)).counts.cancelled == 15


async def _until_waiting(database: Database, count: int) -> None:
    while await _waiting_for_locks(database) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def _waiting_for_locks(database: Database) -> int:
    rows = await _rows(
        database,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    return int(rows[0][0])


async def test_a_group_is_looked_up_by_its_ids_from_the_first_call_on(database: Database) -> None:
    """A plan made while the table is nearly empty is kept, and must not read all that is claimed."""
    ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
    for count in [1] * 12 + [50]:
        claims = await _claimed_children(ledgers, count)
        await ledgers.messages.settle([settlement(claim) for claim in claims], now=NOW)
    async with database.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
    rows = await _rows(
        database, "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'message_claimed'"
    )
    assert rows == [(0,)]
