"""What outlives a process: the ledger with all beside it, in memory and in PostgreSQL, and a look at its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias
from uuid import UUID

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.group_ledger import MemoryGroupLedger
from adapters.memory.leases import MemoryLeases
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.message_history import MemoryMessageHistory
from adapters.memory.pauses import MemoryPauses
from adapters.memory.storage import MemoryObjectStorage
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.postgres.database import Database
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.group_ledger import PostgresGroupLedger
from adapters.postgres.leases import PostgresLeases
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.message_history import PostgresMessageHistory
from adapters.postgres.pauses import PostgresPauses
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.engine.claim_check import checked_out
from application.ports.counting import COUNTED_EXACTLY
from application.ports.dead_letters import DeadLetters
from application.ports.execution_ledger import ExecutionLedger
from application.ports.group_ledger import GroupLedger
from application.ports.leases import Leases
from application.ports.ledger import Ledger
from application.ports.message_history import MessageHistory
from application.ports.object_storage import ObjectStorage
from application.ports.pauses import Pauses
from application.ports.unit_of_work import UnitOfWork
from domain.execution import Execution, MessageCounts
from domain.json import JsonObject
from domain.message import Message
from tests.databases import fresh_database
from tests.kept_messages import kept_in

SETTLED = ("done", "skipped", "dead", "cancelled")
STATES = ("queued", "claimed", *SETTLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message as the ledger has it."""

    id: UUID
    execution_id: UUID
    route_id: str
    state: str
    payload: JsonObject
    attempt: int

    @property
    def is_open(self) -> bool:
        """Whether the engine is not yet finished with it."""
        return self.state not in SETTLED


Rows: TypeAlias = Mapping[UUID, Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One ledger, and what lies in the same database."""

    ledger: Ledger
    executions: ExecutionLedger
    groups: GroupLedger
    letters: DeadLetters
    pauses: Pauses
    history: MessageHistory
    leases: Leases
    work: UnitOfWork
    storage: ObjectStorage
    read: Callable[[], Awaitable[list[Row]]]

    async def rows(self) -> Rows:
        """Every message there is, with its payload; that no id is there twice is asserted."""
        rows = [await self._whole(row) for row in await self.read()]
        found = {row.id: row for row in rows}
        assert len(found) == len(rows)
        return found

    async def _whole(self, row: Row) -> Row:
        message = Message(
            id=row.id, execution_id=row.execution_id, route_id=row.route_id, payload=row.payload
        )
        return replace(row, payload=(await checked_out(self.storage, message)).payload)

    async def every_execution(self) -> Mapping[UUID, Execution]:
        """Every execution as it stands."""
        async with self.work.begin() as repositories:
            executions, total = await repositories.executions.list(limit=100_000)
        assert min(len(executions), COUNTED_EXACTLY + 1) == total
        return {execution.id: execution for execution in executions}


def counted(rows: Rows) -> Mapping[UUID, MessageCounts]:
    """What the counters of each execution have to be."""
    states: dict[UUID, Counter[str]] = {}
    for row in rows.values():
        assert row.state in STATES, row
        states.setdefault(row.execution_id, Counter())[row.state if not row.is_open else "outstanding"] += 1
    return {execution_id: MessageCounts(**counts) for execution_id, counts in states.items()}


def memory_store() -> Store:
    """A store that is gone with the test."""
    ledger = MemoryLedger()

    async def read() -> list[Row]:
        return [
            Row(
                id=row.message.id,
                execution_id=row.message.execution_id,
                route_id=row.message.route_id,
                state=row.state.value,
                payload=row.message.payload,
                attempt=row.attempt,
            )
            for row in ledger._rows.values()
        ]

    return Store(
        ledger=ledger,
        executions=ledger,
        groups=MemoryGroupLedger(ledger),
        letters=MemoryDeadLetters(ledger),
        pauses=MemoryPauses(ledger),
        history=MemoryMessageHistory(MemoryLineage(), kept_in(ledger)),
        leases=MemoryLeases(),
        work=MemoryUnitOfWork(ledger),
        storage=MemoryObjectStorage(),
        read=read,
    )


def postgres_store(database: Database, leases: PostgresLeases | None = None) -> Store:
    """A store in a migrated database; who holds leases gives those that are open."""

    async def read() -> list[Row]:
        async with database.connection() as connection:
            rows = await (await connection.execute(_SELECT_MESSAGES)).fetchall()
        return [Row(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    return Store(
        ledger=PostgresLedger(database),
        executions=PostgresExecutionLedger(database),
        groups=PostgresGroupLedger(database),
        letters=PostgresDeadLetters(database),
        pauses=PostgresPauses(database),
        history=PostgresMessageHistory(database),
        leases=leases or PostgresLeases(database),
        work=PostgresUnitOfWork(database),
        storage=MemoryObjectStorage(),
        read=read,
    )


@asynccontextmanager
async def opened_store(kind: str, postgres_url: Callable[[], str]) -> AsyncIterator[Store]:
    """A fresh store, ``memory`` or ``postgres``."""
    if kind == "memory":
        yield memory_store()
        return
    async with fresh_database(postgres_url()) as database, PostgresLeases(database) as leases:
        yield postgres_store(database, leases)


_COLUMNS = ("id", "execution_id", "route_id", "state", "payload", "attempt")
_SELECT_MESSAGES = f"SELECT {', '.join(_COLUMNS)} FROM message"  # noqa: S608 (our own constants)
