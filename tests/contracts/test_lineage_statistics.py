"""The behaviour that ``application.ports.lineage_statistics`` promises."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from application.ports.lineage_statistics import SAMPLES
from domain.json import JsonObject
from domain.lineage import LineageEntry, StageStatus, normalised_message
from tests.contracts.lineages import EXECUTION, START, Lineage, backend, entry, lineage

__all__ = ["backend", "lineage"]  # fixtures


def lasting(milliseconds: float, **fields: object) -> LineageEntry:
    return entry(completed_at=START + timedelta(milliseconds=milliseconds), **fields)


def failed(message: str, *, second: int = 0, **fields: object) -> LineageEntry:
    error = {"code": "invalid", "type": "Invalid", "message": message}
    started_at = START + timedelta(seconds=second)
    return entry(**{"status": StageStatus.FAILED, "error": error, "started_at": started_at, **fields})


async def test_a_route_counts_each_message_by_its_last_attempt(lineage: Lineage) -> None:
    """Over all of the attempt's adapters."""
    recovered, broken, running, cancelled = (uuid4() for _ in range(4))
    await lineage.record(
        entry(message_id=recovered, attempt=1, status=StageStatus.FAILED),
        entry(message_id=recovered, attempt=2, adapter_index=0),
        entry(message_id=recovered, attempt=2, adapter_index=1, started_at=START + timedelta(seconds=1)),
        entry(message_id=broken, attempt=1),
        entry(message_id=broken, attempt=2, adapter_index=0),
        entry(message_id=broken, attempt=2, adapter_index=1, status=StageStatus.FAILED),
        entry(message_id=running, adapter_index=0),
        entry(message_id=running, adapter_index=1, status=StageStatus.PROCESSING, completed_at=None),
        entry(message_id=cancelled, status=StageStatus.CANCELLED),
        entry(route_id="Åpen", message_id=uuid4()),
        entry(route_id="ingest", execution_id=uuid4()),
    )
    ingest, other = await lineage.statistics.routes(EXECUTION)
    assert (ingest.route_id, other.route_id) == ("ingest", "Åpen")
    assert (ingest.total_messages, ingest.completed, ingest.failed, ingest.in_progress) == (4, 1, 1, 1)
    assert ingest.avg_duration_ms == pytest.approx((1500 + 500 + 500) / 3)
    assert (other.total_messages, other.completed, other.avg_duration_ms) == (1, 1, 500.0)
    assert await lineage.statistics.routes(uuid4()) == []


async def test_a_route_is_counted_over_several_executions(lineage: Lineage) -> None:
    """Each execution once, however often it is named; one route alone where that is asked."""
    other = uuid4()
    await lineage.record(
        lasting(10, message_id=uuid4()),
        lasting(30, message_id=uuid4(), execution_id=other),
        lasting(50, message_id=uuid4(), execution_id=other, route_id="read"),
        lasting(70, message_id=uuid4(), execution_id=uuid4()),
    )
    ingest, read = await lineage.statistics.routes(EXECUTION, other, EXECUTION)
    assert (ingest.total_messages, ingest.avg_duration_ms) == (2, 20)
    assert ingest.durations is not None
    assert ingest.durations.p50_ms == pytest.approx(20)
    assert (read.route_id, read.total_messages) == ("read", 1)
    assert await lineage.statistics.routes(EXECUTION, other, route_id="read") == [read]
    assert await lineage.statistics.routes() == []


async def test_a_route_tells_how_long_its_messages_take(lineage: Lineage) -> None:
    """Interpolated; none while nothing has ended."""
    await lineage.record(
        *(lasting(milliseconds) for milliseconds in range(101)),
        entry(route_id="waiting", status=StageStatus.PROCESSING, completed_at=None),
    )
    ingest, waiting = await lineage.statistics.routes(EXECUTION)
    assert ingest.durations is not None
    assert ingest.durations.p50_ms == pytest.approx(50)
    assert ingest.durations.p95_ms == pytest.approx(95)
    assert ingest.durations.p99_ms == pytest.approx(99)
    assert (waiting.durations, waiting.avg_duration_ms, waiting.in_progress) == (None, None, 1)


async def test_an_adapter_counts_every_attempt_by_its_status(lineage: Lineage) -> None:
    """By route and position; the same adapter twice in a route is two."""
    await lineage.record(
        lasting(10, adapter_index=0),
        lasting(20, adapter_index=0),
        lasting(40, adapter_index=0, attempt=2, status=StageStatus.FAILED),
        entry(adapter_index=0, status=StageStatus.PROCESSING, completed_at=None),
        lasting(1, adapter_index=2),
        lasting(3, adapter_index=10, adapter_name="writer", status=StageStatus.CANCELLED),
        lasting(5, route_id="Åpen"),
        lasting(5, execution_id=uuid4()),
    )
    first, second, writer, other = await lineage.statistics.adapters(EXECUTION)
    assert (first.route_id, first.adapter_name, first.adapter_index) == ("ingest", "html_to_markdown", 0)
    assert dict(first.counts) == {
        StageStatus.COMPLETED: 2,
        StageStatus.FAILED: 1,
        StageStatus.PROCESSING: 1,
    }
    assert first.total == 4
    assert first.durations is not None
    assert first.durations.p50_ms == pytest.approx(20)
    assert first.durations.p99_ms == pytest.approx(39.6)
    assert first.avg_duration_ms == pytest.approx(70 / 3)
    assert (second.adapter_index, writer.adapter_index, writer.adapter_name) == (2, 10, "writer")
    assert dict(writer.counts) == {StageStatus.CANCELLED: 1}
    assert other.route_id == "Åpen"
    await lineage.record(
        entry(route_id="later", status=StageStatus.PROCESSING, completed_at=None),
    )
    assert (await lineage.statistics.adapters(EXECUTION))[-2].avg_duration_ms is None
    assert await lineage.statistics.adapters(uuid4()) == []


async def test_failures_that_say_the_same_are_one_group(lineage: Lineage) -> None:
    """But for names and numbers; the most frequent first, each with its latest ids."""
    alike = [
        failed(
            f'GET https://example.org/{number}?a={number} answered {500 + number}: "no {number}"',
            second=number,
        )
        for number in range(7)
    ]
    apart = [
        failed("timed out", second=50, adapter_name="web_scraper"),
        failed("timed out", second=51),
        failed("timed out", second=52, route_id="other"),
        failed("timed out", second=53, error={"code": "timeout", "message": "timed out"}),
    ]
    await lineage.record(*reversed(alike), *apart, entry(), failed("elsewhere", execution_id=uuid4()))
    first, *others = await lineage.statistics.failures(EXECUTION)
    assert (first.message, first.count) == ('GET <url> answered <n>: "…"', 7)
    assert (first.code, first.type, first.adapter_name) == ("invalid", "Invalid", "html_to_markdown")
    assert (first.first_at, first.last_at) == (alike[0].started_at, alike[-1].started_at)
    assert list(first.correlation_ids) == [each.id for each in alike[: -SAMPLES - 1 : -1]]
    assert [list(group.correlation_ids) for group in others] == [[each.id] for each in reversed(apart)]
    assert others[0].type is None
    assert len(await lineage.statistics.failures()) == 6
    assert len(await lineage.statistics.failures(limit=2)) == 2
    assert await lineage.statistics.failures(uuid4()) == []


MESSAGES = (
    "",
    "it's 3 o'clock, and \"it\" isn't",
    "no object executions/01890a5d-ac96-774b-bcce-b302099a8057/read/x.md",
    "hash 9f86d081884c7d659a2feaa0c55ad015 of 0xDEADbeef",
    'line 1\nline 22: héllo "wörld\nagain" at http://a.b/c\'d',
    "C:\\temp\\7 [x] (y) <z> $1 \\1 &",
    "é" * 400 + "7",
)


@pytest.mark.parametrize("message", MESSAGES)
async def test_a_message_is_normalised_everywhere_alike(lineage: Lineage, message: str) -> None:
    """By the domain's own rule."""
    await lineage.record(failed(message))
    (group,) = await lineage.statistics.failures(EXECUTION)
    assert group.message == normalised_message(message)


@pytest.mark.parametrize("error", [None, {}, {"message": None}, {"message": 7, "code": 1}])
async def test_an_error_that_says_nothing_is_a_group_too(lineage: Lineage, error: JsonObject | None) -> None:
    """Whatever it looks like."""
    await lineage.record(failed("", error=error))
    (group,) = await lineage.statistics.failures(EXECUTION)
    assert (group.message, group.count) == ("<n>" if error and error.get("message") else "", 1)
