"""What can be asked of lineage, by id or by tag."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.lineage_statistics import MemoryLineageStatistics
from adapters.memory.unit_of_work import MemoryUnitOfWork
from application.lineage import Lineage
from application.lineage_traces import LineageTraces
from application.ports.lineage import LineageQuery
from domain.execution import Execution, ExecutionNotFound
from domain.lineage import LineageEntry, LineageEntryNotFound, LineagePathNotFound, StageStatus

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def entry(
    execution_id: UUID, parent: LineageEntry | None = None, status: StageStatus | None = None
) -> LineageEntry:
    return LineageEntry(
        id=uuid4(),
        parent_id=parent.id if parent else None,
        execution_id=execution_id,
        message_id=uuid4(),
        route_id="ingest",
        adapter_name="a",
        adapter_index=0,
        attempt=1,
        stage_name="s",
        status=status or StageStatus.COMPLETED,
        started_at=NOW,
        completed_at=NOW,
    )


async def lineage_of_two_runs() -> tuple[Lineage, list[LineageEntry]]:
    """A run tagged "nightly" with a root, a child and a failed grandchild, and another run with a failure."""
    ledger, records = MemoryLedger(), MemoryLineage()
    run = Execution(id=uuid4(), config_id=uuid4(), config_snapshot={}, started_at=NOW, tag="nightly")
    await ledger.start(run, None)
    root = entry(run.id)
    child = entry(run.id, root)
    grandchild = entry(run.id, child, StageStatus.FAILED)
    entries = [root, child, grandchild, entry(uuid4(), status=StageStatus.FAILED)]
    for each in entries:
        records.record(each)
    statistics = MemoryLineageStatistics(records)
    return Lineage(reader=records, statistics=statistics, work=MemoryUnitOfWork(ledger)), entries


async def test_an_execution_is_named_by_id_or_tag() -> None:
    """With the same answer."""
    lineage, (root, child, grandchild, _) = await lineage_of_two_runs()
    for name in (str(root.execution_id), "nightly"):
        page = await lineage.for_execution(name)
        assert {each.id for each in page.entries} == {root.id, child.id, grandchild.id}
        assert (page.execution_id, page.total) == (root.execution_id, 3)
        assert [each.total_messages for each in await lineage.route_statistics(name)] == [3]


async def test_an_unknown_execution_is_not_found() -> None:
    """Rather than one without lineage."""
    lineage, _ = await lineage_of_two_runs()
    for name in (str(uuid4()), "weekly"):
        with pytest.raises(ExecutionNotFound):
            await lineage.for_execution(name)
        with pytest.raises(ExecutionNotFound):
            await lineage.failures(name)
        with pytest.raises(ExecutionNotFound):
            await lineage.route_statistics(name)


async def test_failures_are_of_one_execution_or_of_all() -> None:
    """Other restrictions hold beside."""
    lineage, (_, _, grandchild, other) = await lineage_of_two_runs()
    assert [each.id for each in (await lineage.failures("nightly")).entries] == [grandchild.id]
    assert {each.id for each in (await lineage.failures()).entries} == {grandchild.id, other.id}
    assert (await lineage.failures(query=LineageQuery(route_id="none"))).total == 0


async def test_a_chain_holds_both_directions() -> None:
    """Ancestors, the entry, descendants; children are the next ones down."""
    lineage, (root, child, grandchild, _) = await lineage_of_two_runs()
    traces = LineageTraces(reader=lineage.reader)
    chain = await traces.chain(child.id)
    assert [each.id for each in chain.ancestors] == [root.id]
    assert chain.entry == child == await lineage.get(child.id)
    assert [each.id for each in chain.descendants] == [grandchild.id]
    assert [each.id for each in await lineage.children(root.id)] == [child.id]
    with pytest.raises(LineageEntryNotFound):
        await traces.chain(uuid4())


async def test_a_path_leads_up_to_what_both_came_from_and_down_again() -> None:
    """Straight where one came from the other."""
    records, run = MemoryLineage(), uuid4()
    root = entry(run)
    left, right = entry(run, root), entry(run, root)
    far_left, far_right = entry(run, left), entry(run, right)
    for each in (root, left, right, far_left, far_right):
        records.record(each)
    traces = LineageTraces(reader=records)
    path = await traces.path(far_left.id, far_right.id)
    assert [each.id for each in path.entries] == [far_left.id, left.id, root.id, right.id, far_right.id]
    assert path.turning_point == root
    down = await traces.path(root.id, far_left.id)
    assert [each.id for each in down.entries] == [root.id, left.id, far_left.id]
    up = await traces.path(far_left.id, left.id)
    assert [each.id for each in up.entries] == [far_left.id, left.id]
    itself = await traces.path(left.id, left.id)
    assert (list(itself.entries), itself.turning_point) == ([left], left)


async def test_a_path_leads_over_what_was_collected() -> None:
    """From what came of a group back to each of its messages, and from one of them over the group to its result."""
    records, run = MemoryLineage(), uuid4()
    left, right = entry(run), entry(run)
    lead = entry(run, left)
    other = replace(entry(run, right), collected_into=lead.id)
    result = entry(run, lead)
    for each in (left, right, lead, other, result):
        records.record(each)
    traces = LineageTraces(reader=records)
    up = await traces.path(result.id, right.id)
    assert [each.id for each in up.entries] == [result.id, lead.id, other.id, right.id]
    down = await traces.path(right.id, result.id)
    assert [each.id for each in down.entries] == [right.id, other.id, lead.id, result.id]
    with pytest.raises(LineagePathNotFound):
        await traces.path(left.id, right.id)


async def test_entries_that_nothing_joins_have_no_path() -> None:
    """Nor has an unknown one."""
    lineage, (root, _, _, other) = await lineage_of_two_runs()
    traces = LineageTraces(reader=lineage.reader)
    with pytest.raises(LineagePathNotFound):
        await traces.path(root.id, other.id)
    for pair in ((root.id, uuid4()), (uuid4(), root.id)):
        with pytest.raises(LineageEntryNotFound):
            await traces.path(*pair)


async def test_entries_are_listed_over_all_executions() -> None:
    """By any restriction."""
    lineage, _ = await lineage_of_two_runs()
    page = await lineage.list(LineageQuery(is_root=True, limit=1))
    assert (len(page.entries), page.total, page.execution_id) == (1, 2, None)


def test_an_entry_that_has_ended_never_goes_back() -> None:
    """Over all pairs of statuses."""
    for before in StageStatus:
        for after in StageStatus:
            if before.is_final:
                assert before.may_be_replaced_by(after) == after.is_final
    assert not StageStatus.PROCESSING.may_be_replaced_by(StageStatus.PENDING)
    assert StageStatus.PENDING.may_be_replaced_by(StageStatus.PROCESSING)
