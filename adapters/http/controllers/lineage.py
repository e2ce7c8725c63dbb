"""Lineage: where a message came from and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter, SkipValidation

from adapters.http.wire.lineage import (
    LineageBatchResponse,
    LineageChainResponse,
    LineageChildrenResponse,
    LineageEntryResponse,
    LineageListResponse,
    LineagePathResponse,
    LineageRelativesResponse,
    batch_response,
    chain_response,
    children_response,
    entry_list_response,
    entry_response,
    path_response,
    place_of,
    relatives_response,
)
from adapters.http.wire.moments import Moment, in_utc
from adapters.http.wire.pages import Cursor, Limit, Offset
from application.lineage import Lineage
from application.lineage_traces import LineageTraces
from application.ports.lineage import InvalidLineageQuery, LineageQuery
from domain.execution import ExecutionNotFound
from domain.lineage import LineageEntryNotFound, LineagePathNotFound, StageStatus

UseCase = NamedDependency[SkipValidation[Lineage]]
Traces = NamedDependency[SkipValidation[LineageTraces]]
CorrelationId = Annotated[UUID, PathParameter(description="The entry's correlation id.")]
BatchId = Annotated[UUID, PathParameter(description="The replay batch's id.")]
Exact = Annotated[str | None, QueryParameter(description="Only entries with exactly this.")]
Part = Annotated[str | None, QueryParameter(description="Only entries that have this in it, in any case.")]
SortBy = Annotated[
    Literal["started_at", "completed_at", "route_id", "adapter_name", "stage_name", "status"],
    QueryParameter(description="What to sort by."),
]
SortOrder = Annotated[Literal["asc", "desc"], QueryParameter(description="In which order.")]


class LineageController(Controller):
    path = "/api/v1/lineage"
    tags = ("lineage",)

    @get(
        operation_id="list_lineage_entries",
        summary="List lineage entries",
        opt={"errors": (InvalidLineageQuery,)},
    )
    async def list_all(
        self,
        lineage: UseCase,
        execution_id: Annotated[UUID | None, QueryParameter(description="Of this execution.")] = None,
        route_id: Exact = None,
        adapter_name: Exact = None,
        status: Annotated[StageStatus | None, QueryParameter(description="Of this status.")] = None,
        is_root: Annotated[bool | None, QueryParameter(description="With or without a parent.")] = None,
        url: Part = None,
        origin: Part = None,
        title: Part = None,
        document_id: Exact = None,
        started_after: Moment = None,
        started_before: Moment = None,
        sort_by: SortBy = "started_at",
        sort_order: SortOrder = "asc",
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> LineageListResponse:
        """`url`, `origin`, `title` and `document_id` are the provenance that a message gathers on its way.

        A `cursor` goes with `sort_by=started_at` alone.
        """
        query = LineageQuery(
            execution_id=execution_id,
            route_id=route_id,
            adapter_name=adapter_name,
            status=status,
            is_root=is_root,
            url=url,
            origin=origin,
            title=title,
            document_id=document_id,
            started_after=in_utc(started_after),
            started_before=in_utc(started_before),
            sort_by=sort_by,
            descending=sort_order == "desc",
            limit=limit,
            offset=offset,
            after=place_of(cursor),
        )
        page = await lineage.list(query)
        return entry_list_response(page, limit=limit, offset=offset, is_by_start=sort_by == "started_at")

    @get(
        "/failures",
        operation_id="list_lineage_failures",
        summary="List what failed",
        opt={"errors": (ExecutionNotFound, InvalidLineageQuery)},
    )
    async def failures(
        self,
        lineage: UseCase,
        execution_id: Annotated[str | None, QueryParameter(description="An execution's id or tag.")] = None,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> LineageListResponse:
        """The latest first, each with its error."""
        query = LineageQuery(descending=True, limit=limit, offset=offset, after=place_of(cursor))
        page = await lineage.failures(execution_id, query=query)
        return entry_list_response(page, limit=limit, offset=offset)

    @get(
        "/batch/{batch_id:uuid}",
        operation_id="get_lineage_batch",
        summary="List a replay batch's entries",
        opt={"errors": (InvalidLineageQuery,)},
    )
    async def batch(
        self,
        lineage: UseCase,
        batch_id: BatchId,
        limit: Limit = 1000,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> LineageBatchResponse:
        """The entries of messages that were replayed together; none when there is no such batch."""
        query = LineageQuery(replay_batch_id=batch_id, limit=limit, offset=offset, after=place_of(cursor))
        return batch_response(batch_id, await lineage.list(query))

    @get(
        "/path",
        operation_id="get_lineage_path",
        summary="Find the way from one entry to another",
        opt={"errors": (LineageEntryNotFound, LineagePathNotFound)},
    )
    async def path_between(
        self,
        lineage_traces: Traces,
        from_id: Annotated[UUID, QueryParameter(name="from", description="Where it begins.")],
        to_id: Annotated[UUID, QueryParameter(name="to", description="Where it ends.")],
    ) -> LineagePathResponse:
        """Straight up or down where one came from the other, else over the nearest entry that both came from."""
        return path_response(from_id, to_id, await lineage_traces.path(from_id, to_id))

    @get(
        "/{correlation_id:uuid}",
        operation_id="get_lineage_entry",
        summary="Read a lineage entry",
        opt={"errors": (LineageEntryNotFound,)},
    )
    async def read(self, lineage: UseCase, correlation_id: CorrelationId) -> LineageEntryResponse:
        """One message at one pipeline adapter in one attempt."""
        return entry_response(await lineage.get(correlation_id))

    @get(
        "/{correlation_id:uuid}/chain",
        operation_id="get_lineage_chain",
        summary="Trace an entry both ways",
        opt={"errors": (LineageEntryNotFound,)},
    )
    async def chain(
        self, lineage_traces: Traces, correlation_id: CorrelationId, limit: Limit = 1000
    ) -> LineageChainResponse:
        """Where it came from and what came from it, up to `limit` entries each way."""
        return chain_response(await lineage_traces.chain(correlation_id, limit=limit))

    @get(
        "/{correlation_id:uuid}/ancestors",
        operation_id="list_lineage_ancestors",
        summary="List what an entry came from",
        opt={"errors": (LineageEntryNotFound,)},
    )
    async def ancestors(
        self, lineage_traces: Traces, correlation_id: CorrelationId, limit: Limit = 1000
    ) -> LineageRelativesResponse:
        """The nearest first."""
        found = await lineage_traces.ancestors(correlation_id, limit=limit)
        return relatives_response(correlation_id, found)

    @get(
        "/{correlation_id:uuid}/descendants",
        operation_id="list_lineage_descendants",
        summary="List what came from an entry",
        opt={"errors": (LineageEntryNotFound,)},
    )
    async def descendants(
        self, lineage_traces: Traces, correlation_id: CorrelationId, limit: Limit = 1000
    ) -> LineageRelativesResponse:
        """Near ones before far ones."""
        found = await lineage_traces.descendants(correlation_id, limit=limit)
        return relatives_response(correlation_id, found)

    @get(
        "/{correlation_id:uuid}/children",
        operation_id="list_lineage_children",
        summary="List an entry's children",
        opt={"errors": (LineageEntryNotFound, InvalidLineageQuery)},
    )
    async def children(
        self, lineage: UseCase, correlation_id: CorrelationId, limit: Limit = 1000, cursor: Cursor = None
    ) -> LineageChildrenResponse:
        """The entries whose parent it is, by start."""
        found = await lineage.children(correlation_id, limit=limit + 1, after=place_of(cursor))
        return children_response(correlation_id, found, limit=limit)
