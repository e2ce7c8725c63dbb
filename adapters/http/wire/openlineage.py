"""Lineage as run events of OpenLineage 2-0-2 (https://openlineage.io/spec/2-0-2/OpenLineage.json), a line each.

A job is a pipeline adapter of a route of a pipeline, a run is one attempt at one message: its id is the correlation
id. The parent run of all of them is the execution. Data sets are the stages of the pipeline's routes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from application.lineage import ExecutionLineage
from application.ports.lineage import LinkedEntry
from domain.execution import Execution, ExecutionStatus
from domain.json import JsonObject
from domain.lineage import LineageEntry, StageStatus

MEDIA_TYPE = "application/x-ndjson"
NAMESPACE = "factflow"

_SPEC = "https://openlineage.io/spec"
_RUN_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_RUN_FACET = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet"
_PARENT_FACET = f"{_SPEC}/facets/1-1-0/ParentRunFacet.json#/$defs/ParentRunFacet"
_ERROR_FACET = f"{_SPEC}/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"

_END = {
    StageStatus.COMPLETED: "COMPLETE",
    StageStatus.FAILED: "FAIL",
    StageStatus.CANCELLED: "ABORT",
}
_END_OF_EXECUTION = {
    ExecutionStatus.COMPLETED: "COMPLETE",
    ExecutionStatus.FAILED: "FAIL",
    ExecutionStatus.CANCELLED: "ABORT",
}


class Job(Struct, frozen=True, kw_only=True):
    """What runs."""

    namespace: str
    name: str


class DataSet(Struct, frozen=True, kw_only=True):
    """What a run reads or writes."""

    namespace: str
    name: str


class Run(Struct, frozen=True, kw_only=True, rename="camel"):
    """One run of a job."""

    run_id: str
    facets: dict[str, Any]


class RunEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """That a run began or ended."""

    event_type: str
    event_time: datetime
    run: Run
    job: Job
    inputs: list[DataSet]
    outputs: list[DataSet]
    producer: str
    schema_url: str = field(default=_RUN_EVENT, name="schemaURL")


async def event_lines(lineage: ExecutionLineage, *, producer: str) -> AsyncIterator[bytes]:
    """The events of an execution and of every entry of it, in the order of the entries' starts, some hundreds at once.

    What has not ended has no event that says so. ``producer`` is the URI of what wrote the lineage.
    """
    events = _Events(execution=lineage.execution, producer=producer)
    yield _line(events.start_of_execution())
    async for page in lineage.pages:
        yield b"".join(_line(event) for linked in page for event in events.of(linked))
    end = events.end_of_execution()
    if end is not None:
        yield _line(end)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Events:
    """Makes the events of one execution."""

    execution: Execution
    producer: str

    @property
    def pipeline(self) -> str:
        return str(self.execution.config_snapshot.get("name") or self.execution.config_id)

    def start_of_execution(self) -> RunEvent:
        return self._event("START", self.execution.started_at, self._run_of_execution(), self._pipeline_job())

    def end_of_execution(self) -> RunEvent | None:
        kind, at = _END_OF_EXECUTION.get(self.execution.status), self.execution.completed_at
        if kind is None or at is None:
            return None
        facets = self._error(self.execution.error_info) if kind == "FAIL" else {}
        return self._event(kind, at, self._run_of_execution(facets), self._pipeline_job())

    def of(self, linked: LinkedEntry) -> Iterator[RunEvent]:
        entry = linked.entry
        job = Job(namespace=NAMESPACE, name=f"{self.pipeline}/{entry.route_id}/{entry.adapter_name}")
        inputs = self._stage(linked.parent_route_id, linked.parent_stage_name)
        yield self._event("START", entry.started_at, self._run_of(entry), job, inputs=inputs)
        kind = _END.get(entry.status)
        if kind is not None:
            outputs = self._stage(entry.route_id, entry.stage_name) if kind == "COMPLETE" else []
            facets = self._error(entry.error) if kind == "FAIL" else {}
            at = entry.completed_at or entry.started_at
            yield self._event(kind, at, self._run_of(entry, facets), job, inputs=inputs, outputs=outputs)

    def _event(
        self,
        kind: str,
        at: datetime,
        run: Run,
        job: Job,
        *,
        inputs: list[DataSet] | None = None,
        outputs: list[DataSet] | None = None,
    ) -> RunEvent:
        return RunEvent(
            event_type=kind,
            event_time=at,
            run=run,
            job=job,
            inputs=inputs or [],
            outputs=outputs or [],
            producer=self.producer,
        )

    def _pipeline_job(self) -> Job:
        return Job(namespace=NAMESPACE, name=self.pipeline)

    def _run_of_execution(self, facets: Mapping[str, Any] | None = None) -> Run:
        """The execution that was replayed, if there is one, is the parent of its replay."""
        parent = self.execution.parent_execution_id
        above = {} if parent is None else {"parent": self._parent(str(parent))}
        return Run(run_id=str(self.execution.id), facets={**above, **(facets or {})})

    def _run_of(self, entry: LineageEntry, facets: Mapping[str, Any] | None = None) -> Run:
        about = self._facet(
            _RUN_FACET,
            messageId=str(entry.message_id),
            parentCorrelationId=None if entry.parent_id is None else str(entry.parent_id),
            adapterIndex=entry.adapter_index,
            attempt=entry.attempt,
            inputHash=entry.input_hash,
            outputHash=entry.output_hash,
            provenance=dict(entry.metadata),
        )
        above = self._parent(str(self.execution.id))
        return Run(run_id=str(entry.id), facets={"parent": above, "factflow_entry": about, **(facets or {})})

    def _parent(self, run_id: str) -> dict[str, Any]:
        return self._facet(
            _PARENT_FACET, run={"runId": run_id}, job={"namespace": NAMESPACE, "name": self.pipeline}
        )

    def _error(self, error: JsonObject | None) -> dict[str, Any]:
        told = error or {}
        message = str(told.get("message") or told.get("code") or "it is not known why")
        trace = told.get("traceback")
        more = {} if trace is None else {"stackTrace": str(trace)}
        facet = self._facet(_ERROR_FACET, message=message, programmingLanguage="PYTHON", **more)
        return {"errorMessage": facet}

    def _facet(self, schema: str, **members: Any) -> dict[str, Any]:
        return {"_producer": self.producer, "_schemaURL": schema, **members}

    def _stage(self, route_id: str | None, stage_name: str | None) -> list[DataSet]:
        if route_id is None or stage_name is None:
            return []
        return [DataSet(namespace=NAMESPACE, name=f"{self.pipeline}/{route_id}/{stage_name}")]


def _line(event: RunEvent) -> bytes:
    return msgspec.json.encode(event) + b"\n"
