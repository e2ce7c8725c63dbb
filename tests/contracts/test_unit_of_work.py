"""What every ``UnitOfWork`` does, and the ``Executions`` it gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.memory.unit_of_work import MemoryExecutions, MemoryUnitOfWork
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.executions import PostgresExecutions
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.ports.execution_ledger import ExecutionLedger
from application.ports.unit_of_work import UnitOfWork
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus
from domain.pipeline_config import ConfigNotFound, PipelineConfig
from domain.replay import ReplayBatchNotFound
from tests.contracts.ledgers import NOW, init_message, new_execution
from tests.databases import SERVERS, fresh_database

REPOSITORIES = (MemoryExecutions, PostgresExecutions)


@dataclass(frozen=True, slots=True)
class Store:
    """A unit of work, and the ledger through which executions begin."""

    work: UnitOfWork
    ledger: ExecutionLedger

    async def started(self, **fields: object) -> Execution:
        """A running execution."""
        execution = new_execution(**fields)
        return await self.ledger.start(execution, init_message(execution))


@pytest.fixture(params=["memory", *SERVERS])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Each implementation there is."""
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Store(MemoryUnitOfWork(ledger), ledger)
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield Store(PostgresUnitOfWork(database), PostgresExecutionLedger(database))


def new_config(number: int = 1) -> PipelineConfig:
    """A config whose id sorts by its number."""
    return PipelineConfig(
        id=UUID(int=number), name=f"config {number}", yaml="a: 1", created_at=NOW, updated_at=NOW
    )


async def test_a_clean_exit_commits(store: Store) -> None:
    """What was added is there for the next transaction."""
    async with store.work.begin() as repositories:
        await repositories.configs.add(new_config())
    async with store.work.begin() as repositories:
        assert await repositories.configs.get(UUID(int=1)) == new_config()
    assert await store.work.is_reachable()


async def test_an_exception_rolls_everything_back(store: Store) -> None:
    """Also what was done before the step that failed."""
    with suppress(RuntimeError):
        async with store.work.begin() as repositories:
            await repositories.configs.add(new_config())
            raise RuntimeError
    async with store.work.begin() as repositories:
        with pytest.raises(ConfigNotFound):
            await repositories.configs.get(UUID(int=1))


async def test_an_execution_is_found_by_its_id_and_by_its_tag(store: Store) -> None:
    """As it stands in the ledger."""
    execution = await store.started(tag="mine", metadata={"who": "me"})
    async with store.work.begin() as repositories:
        assert await repositories.executions.get(execution.id) == execution
        assert await repositories.executions.by_tag("mine") == execution


async def test_an_unknown_execution_is_an_error(store: Store) -> None:
    """By id and by tag."""
    async with store.work.begin() as repositories:
        with pytest.raises(ExecutionNotFound):
            await repositories.executions.get(uuid4())
        with pytest.raises(ExecutionNotFound):
            await repositories.executions.by_tag("nobody's")


async def test_executions_are_listed_from_the_latest_a_page_at_a_time(store: Store) -> None:
    """With how many there are in all, whatever the page."""
    ids = [UUID(int=number) for number in range(1, 6)]
    for execution_id in ids:
        await store.started(id=execution_id)
    async with store.work.begin() as repositories:
        page, total = await repositories.executions.list(limit=2, offset=1)
    assert [execution.id for execution in page] == [ids[3], ids[2]]
    assert total == 5


async def test_a_list_of_executions_goes_on_behind_one_of_them(store: Store) -> None:
    """The page does not shift when others start meanwhile; the total is that of all, also of an empty page."""
    ids = [UUID(int=number) for number in range(1, 5)]
    for execution_id in ids:
        await store.started(id=execution_id)
    async with store.work.begin() as repositories:
        page, total = await repositories.executions.list(limit=2, before=ids[3])
        rest, _ = await repositories.executions.list(limit=5, offset=1, before=ids[3])
        nothing = await repositories.executions.list(limit=5, before=ids[0])
    assert ([one.id for one in page], total) == ([ids[2], ids[1]], 4)
    assert [one.id for one in rest] == [ids[1], ids[0]]
    assert nothing == ([], 4)


async def test_a_list_of_executions_leaves_their_snapshots_out(store: Store) -> None:
    """One by itself has it."""
    started = await store.started(config_snapshot={"routes": {}}, metadata={"a": 1})
    async with store.work.reading() as repositories:
        (listed,), _ = await repositories.executions.list(limit=1)
        assert (listed.id, listed.config_snapshot, listed.metadata) == (started.id, {}, {"a": 1})
        assert (await repositories.executions.get(started.id)).config_snapshot == {"routes": {}}


async def test_summaries_are_a_list_of_executions_to_show(store: Store) -> None:
    """The same page and total, narrowed by the same; each says what its execution does."""
    parent = await store.started(id=UUID(int=1), tag="first")
    await store.ledger.conclude(parent.id, ExecutionStatus.CANCELLED, now=NOW + timedelta(seconds=1))
    for number in (2, 3):
        await store.started(id=UUID(int=number), parent_execution_id=parent.id, replay_source="storage")
    async with store.work.reading() as repositories:
        executions = repositories.executions
        for wanted in (
            {"limit": 2},
            {"limit": 1, "offset": 1},
            {"limit": 5, "before": UUID(int=3)},
            {"limit": 5, "parent_execution_id": parent.id},
            {"limit": 5, "config_id": parent.config_id},
            {"limit": 5, "status": ExecutionStatus.CANCELLED},
            {"limit": 5, "before": parent.id},
        ):
            page, total = await executions.summaries(**wanted)
            listed, of_all = await executions.list(**wanted)
            assert ([one.id for one in page], total) == ([one.id for one in listed], of_all)
            for one, execution in zip(page, listed, strict=True):
                counts, shown = execution.counts, one._asdict()
                assert one.total == counts.total
                for name, value in shown.items():
                    source = counts if hasattr(counts, name) else execution
                    assert value == getattr(source, name), name
                assert isinstance(one.status, ExecutionStatus)


async def test_replays_are_listed_and_found_by_their_batch(store: Store) -> None:
    """From the latest, behind one of them, each with the `replay` of its snapshot; others are no replays."""
    parent, batches = await store.started(id=UUID(int=1)), [uuid4() for _ in range(3)]
    for number, batch in enumerate(batches, 2):
        snapshot = {"routes": {"b": 1, "a": 2}, "replay": {"replay_batch_id": str(batch)}}
        await store.started(
            id=UUID(int=number),
            config_snapshot=snapshot,
            replay_source="storage",
            parent_execution_id=parent.id if number > 2 else None,
        )
    async with store.work.reading() as repositories:
        page, total = await repositories.executions.replays(limit=2)
        assert ([one.id.int for one in page], total) == ([4, 3], 3)
        assert page[0].config_snapshot == {"replay": {"replay_batch_id": str(batches[2])}}
        page, total = await repositories.executions.replays(limit=2, before=page[1].id)
        assert ([one.id.int for one in page], total) == ([2], 3)
        page, total = await repositories.executions.replays(limit=5, parent_execution_id=parent.id)
        assert ([one.id.int for one in page], total) == ([4, 3], 2)
        assert await repositories.executions.replays(limit=5, status=ExecutionStatus.FAILED) == ([], 0)
        found = await repositories.executions.by_replay_batch(batches[1])
        assert (found.id.int, found.config_snapshot.get("routes")) == (3, {"b": 1, "a": 2})
        with pytest.raises(ReplayBatchNotFound):
            await repositories.executions.by_replay_batch(uuid4())


async def test_executions_are_listed_by_status_config_and_parent(store: Store) -> None:
    """Each narrows the list, and together they narrow it further."""
    parent = await store.started()
    child = await store.started(parent_execution_id=parent.id, config_id=parent.config_id)
    await store.ledger.conclude(parent.id, ExecutionStatus.CANCELLED, now=NOW + timedelta(seconds=1))

    async def listed(**narrowed: object) -> list[UUID]:
        async with store.work.begin() as repositories:
            page, total = await repositories.executions.list(limit=10, **narrowed)  # type: ignore[arg-type]
        assert total == len(page)
        return [execution.id for execution in page]

    assert await listed(status=ExecutionStatus.CANCELLED) == [parent.id]
    assert sorted(await listed(config_id=parent.config_id)) == sorted([parent.id, child.id])
    assert await listed(parent_execution_id=parent.id) == [child.id]
    assert await listed(parent_execution_id=parent.id, status=ExecutionStatus.CANCELLED) == []
