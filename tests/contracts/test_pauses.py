"""What every ``Pauses`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.memory.pauses import MemoryPauses
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.pauses import PostgresPauses
from application.ports.pauses import Pauses
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus
from domain.pause import Pause, PauseNotAllowed, PauseScope
from tests.contracts.ledgers import NOW, Ledgers
from tests.databases import SERVERS, fresh_database

LATER = NOW + timedelta(seconds=1)
EVERYWHERE = PauseScope(route_id="first")


@dataclass(frozen=True, slots=True)
class Given:
    """Pauses, and the ledger of the executions that they are of."""

    pauses: Pauses
    ledgers: Ledgers

    async def scopes_of(self, execution: Execution) -> list[PauseScope]:
        """What is paused of an execution."""
        return [pause.scope for pause in await self.pauses.in_force([execution.id])]


@pytest.fixture(params=["memory", *SERVERS])
async def given(request: pytest.FixtureRequest) -> AsyncIterator[Given]:
    """Each implementation there is."""
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Given(MemoryPauses(ledger), Ledgers(ledger, ledger))
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield Given(
            PostgresPauses(database), Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        )


def scopes(execution: Execution) -> list[PauseScope]:
    """Every way to pause the route ``first`` of an execution."""
    return [
        PauseScope(execution_id=execution.id),
        PauseScope(execution_id=execution.id, route_id="first"),
        EVERYWHERE,
    ]


async def test_a_pause_changes_something_once(given: Given) -> None:
    """The second one keeps the moment of the first."""
    execution = await given.ledgers.started()
    for scope in scopes(execution):
        assert await given.pauses.pause(scope, now=NOW)
        assert not await given.pauses.pause(scope, now=LATER)
    assert {pause.paused_at for pause in await given.pauses.in_force()} == {NOW}


async def test_a_resume_lifts_the_very_pause_and_no_other(given: Given) -> None:
    """And changes something once."""
    execution = await given.ledgers.started()
    for scope in scopes(execution):
        await given.pauses.pause(scope, now=NOW)
    for lifted in range(3):
        assert await given.pauses.resume(scopes(execution)[lifted])
        assert not await given.pauses.resume(scopes(execution)[lifted])
        assert set(await given.scopes_of(execution)) == set(scopes(execution)[lifted + 1 :])


async def test_pauses_in_force_come_by_their_moment(given: Given) -> None:
    """Whatever their kind."""
    execution = await given.ledgers.started()
    whole, one_route, everywhere = scopes(execution)
    for number, scope in enumerate([everywhere, whole, one_route]):
        await given.pauses.pause(scope, now=NOW + timedelta(seconds=number))
    assert await given.pauses.in_force() == [
        Pause(scope=everywhere, paused_at=NOW),
        Pause(scope=whole, paused_at=NOW + timedelta(seconds=1)),
        Pause(scope=one_route, paused_at=NOW + timedelta(seconds=2)),
    ]


async def test_only_pauses_that_may_cover_an_execution_are_told_of_it(given: Given) -> None:
    """Those of a route wherever it runs cover every one, also one that does not exist yet."""
    execution, other = await given.ledgers.started(), await given.ledgers.started()
    for scope in scopes(execution):
        await given.pauses.pause(scope, now=NOW)
    assert await given.scopes_of(other) == [EVERYWHERE]
    assert [pause.scope for pause in await given.pauses.in_force([uuid4()])] == [EVERYWHERE]
    assert [pause.scope for pause in await given.pauses.in_force([])] == [EVERYWHERE]


async def test_a_paused_execution_keeps_its_status_and_shows_the_moment(given: Given) -> None:
    """A pause of a route is not one of the execution."""
    execution = await given.ledgers.started()
    await given.pauses.pause(PauseScope(execution_id=execution.id, route_id="first"), now=NOW)
    assert (await given.ledgers.seen(execution.id)).paused_at is None
    await given.pauses.pause(PauseScope(execution_id=execution.id), now=LATER)
    seen = await given.ledgers.seen(execution.id)
    assert (seen.status, seen.paused_at, seen.is_paused) == (ExecutionStatus.RUNNING, LATER, True)
    await given.pauses.resume(PauseScope(execution_id=execution.id))
    assert (await given.ledgers.seen(execution.id)).paused_at is None


async def test_an_execution_that_has_ended_is_neither_paused_nor_resumed(given: Given) -> None:
    """And what was paused of it is not in force any more."""
    execution = await given.ledgers.started()
    of_execution = scopes(execution)[:2]
    for scope in of_execution:
        await given.pauses.pause(scope, now=NOW)
    await given.ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    assert await given.pauses.in_force() == []
    assert not (await given.ledgers.seen(execution.id)).is_paused
    for scope in of_execution:
        with pytest.raises(PauseNotAllowed, match="cancelled"):
            await given.pauses.pause(scope, now=LATER)
        with pytest.raises(PauseNotAllowed, match="cancelled"):
            await given.pauses.resume(scope)


async def test_an_interrupted_execution_stays_paused(given: Given) -> None:
    """It goes on later, and then its pause must still be there."""
    execution = await given.ledgers.started()
    await given.pauses.pause(PauseScope(execution_id=execution.id), now=NOW)
    await given.ledgers.executions.conclude(execution.id, ExecutionStatus.INTERRUPTED, now=NOW)
    assert await given.scopes_of(execution) == [PauseScope(execution_id=execution.id)]
    await given.ledgers.executions.conclude(execution.id, ExecutionStatus.RUNNING, now=NOW)
    assert await given.scopes_of(execution) == [PauseScope(execution_id=execution.id)]


async def test_an_unknown_execution_is_neither_paused_nor_resumed(given: Given) -> None:
    """There is an error for it."""
    for scope in (PauseScope(execution_id=uuid4()), PauseScope(execution_id=uuid4(), route_id="first")):
        with pytest.raises(ExecutionNotFound):
            await given.pauses.pause(scope, now=NOW)
        with pytest.raises(ExecutionNotFound):
            await given.pauses.resume(scope)


async def test_of_many_who_pause_or_resume_at_once_one_changes_something(given: Given) -> None:
    """Whatever the scope."""
    execution = await given.ledgers.started()
    for scope in scopes(execution):
        paused = await asyncio.gather(*(given.pauses.pause(scope, now=NOW) for _ in range(6)))
        resumed = await asyncio.gather(*(given.pauses.resume(scope) for _ in range(6)))
        assert (sum(paused), sum(resumed)) == (1, 1)
    assert await given.pauses.in_force() == []
