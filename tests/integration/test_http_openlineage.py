"""Lineage as OpenLineage 2-0-2 run events, held against the shape that the specification publishes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec import Meta, Struct, field

from domain.lineage import LineageEntry, StageStatus
from tests.http_server import Api, serving

LINEAGE = "/api/v1/lineage"
Moment = Annotated[datetime, Meta(tz=True)]


class Job(Struct, forbid_unknown_fields=True):
    """Required: namespace, name."""

    namespace: str
    name: str
    facets: dict[str, dict[str, Any]] = {}


class DataSet(Job, forbid_unknown_fields=True):
    """Of the same shape."""


class Run(Struct, forbid_unknown_fields=True):
    """Required: runId, a UUID."""

    run_id: UUID = field(name="runId")
    facets: dict[str, dict[str, Any]] = {}


class RunEvent(Struct, forbid_unknown_fields=True):
    """Required: eventTime, producer, schemaURL, run, job."""

    event_time: Moment = field(name="eventTime")
    producer: str
    schema_url: str = field(name="schemaURL")
    run: Run
    job: Job
    event_type: Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"] = field(name="eventType")
    inputs: list[DataSet] = []
    outputs: list[DataSet] = []


class ParentJob(Struct):
    """Required: namespace, name."""

    namespace: str
    name: str


class ParentRun(Struct):
    """Required: runId."""

    run_id: UUID = field(name="runId")


class ParentFacet(Struct):
    """Required: run, job."""

    run: ParentRun
    job: ParentJob


class ErrorFacet(Struct):
    """Required: message, programmingLanguage."""

    message: str
    language: str = field(name="programmingLanguage")
    trace: str | None = field(name="stackTrace", default=None)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def exported(api: Api, execution_id: str) -> list[RunEvent]:
    """Every event, each held against the published shape."""
    url = f"{api.url}{LINEAGE}/export?execution_id={execution_id}"
    async with api.session.get(url) as response:
        assert (response.status, response.content_type) == (200, "application/x-ndjson")
        lines = (await response.read()).splitlines()
    events = [msgspec.json.decode(line, type=RunEvent) for line in lines]
    for event in events:
        assert event.schema_url == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
        assert urlsplit(event.producer).scheme
        for facet in event.run.facets.values():
            assert urlsplit(facet["_producer"]).scheme
            assert urlsplit(facet["_schemaURL"]).scheme == "https"
    return events


async def test_a_run_is_told_from_its_start_to_its_end(api: Api) -> None:
    """The execution around its entries; each START has one end; what one stage gave the next one takes."""
    execution_id = await api.execution()
    await api.ended(execution_id)
    begun, *events, ended = await exported(api, execution_id)
    for event, kind in ((begun, "START"), (ended, "COMPLETE")):
        assert (event.event_type, event.run.run_id) == (kind, UUID(execution_id))
        assert (event.job.namespace, event.job.name) == ("factflow", "a pipeline")
    assert [(one.event_type, one.job.name) for one in events] == [
        ("START", "a pipeline/first/echo"),
        ("COMPLETE", "a pipeline/first/echo"),
        ("START", "a pipeline/second/echo"),
        ("COMPLETE", "a pipeline/second/echo"),
    ]
    assert [[data.name for data in one.inputs] for one in events] == [
        [],
        [],
        ["a pipeline/first/echo"],
        ["a pipeline/first/echo"],
    ]
    assert [[data.name for data in one.outputs] for one in events] == [
        [],
        ["a pipeline/first/echo"],
        [],
        ["a pipeline/second/echo"],
    ]


async def test_a_run_is_an_attempt_under_its_correlation_id_and_its_parent_the_execution(api: Api) -> None:
    """The facets have the published shapes."""
    execution_id = await api.execution()
    await api.ended(execution_id)
    _, page = await api.ask("GET", f"{LINEAGE}?execution_id={execution_id}")
    ids = [UUID(entry["correlation_id"]) for entry in page["entries"]]
    _, *events, _ = await exported(api, execution_id)
    assert [event.run.run_id for event in events] == [ids[0], ids[0], ids[1], ids[1]]
    for event in events:
        parent = msgspec.convert(event.run.facets["parent"], ParentFacet)
        assert (str(parent.run.run_id), parent.job.name) == (execution_id, "a pipeline")
        assert event.run.facets["parent"]["_schemaURL"].endswith("ParentRunFacet.json#/$defs/ParentRunFacet")
    assert events[-1].run.facets["factflow_entry"]["parentCorrelationId"] == str(ids[0])


async def test_a_failure_is_told_with_its_reason(api: Api) -> None:
    """Of the entry and of the execution."""
    execution_id = await api.execution("reject")
    await api.ended(execution_id)
    events = await exported(api, execution_id)
    assert [event.event_type for event in events] == ["START", "START", "FAIL", "FAIL"]
    for event in events[2:]:
        error = msgspec.convert(event.run.facets["errorMessage"], ErrorFacet)
        assert (error.message, error.language) == ("this message is not to be had", "PYTHON")
        assert event.outputs == []


async def test_what_goes_on_has_no_end_and_what_was_cancelled_is_aborted(api: Api) -> None:
    """The execution, and its entries."""
    execution_id = await api.execution("wait")
    record(api, execution_id, StageStatus.PROCESSING, StageStatus.CANCELLED)
    events = await exported(api, execution_id)
    assert [event.event_type for event in events] == ["START", "START", "START", "ABORT"]
    await api.ask("PATCH", f"/api/v1/executions/{execution_id}", json={"status": "cancelled"})
    assert (await exported(api, execution_id))[-1].event_type == "ABORT"


def record(api: Api, execution_id: str, *statuses: StageStatus) -> None:
    """Entries of messages that there never were."""
    for number, status in enumerate(statuses):
        started_at = datetime(2026, 3, 1, number, tzinfo=UTC)
        api.world.lineage.record(
            LineageEntry(
                id=uuid4(),
                parent_id=None,
                execution_id=UUID(execution_id),
                message_id=uuid4(),
                route_id="first",
                adapter_name="wait",
                adapter_index=0,
                attempt=1,
                stage_name="wait",
                status=status,
                started_at=started_at,
                completed_at=started_at if status.is_final else None,
            )
        )
