"""The approximate indexes over embedding slots."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.patience import unhurried
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.search_indexes import (
    AutoManageBody,
    AutoManageResponse,
    CreateIndexBody,
    IndexListResponse,
    IndexResponse,
    RecallResponse,
    RecommendationsResponse,
    index_list_response,
    index_response,
    managed_response,
    recommendations_response,
)
from application.search_indexes import MAX_NEAREST, MAX_SAMPLE, Indexes, InvalidSample
from domain.retrieval.vector_indexes import (
    IndexBuildUnderway,
    IndexExists,
    IndexNotFound,
    InvalidIndex,
    UnknownIndexSlot,
)

UseCase = NamedDependency[SkipValidation[Indexes]]
Name = Annotated[str, PathParameter(description="The index's name.")]
Sample = Annotated[
    int, QueryParameter(ge=1, le=MAX_SAMPLE, description="How many of the slot's vectors to ask for.")
]
Nearest = Annotated[
    int, QueryParameter(ge=1, le=MAX_NEAREST, description="How many nearest of each to compare.")
]


class IndexesController(Controller):
    path = "/api/v1/indexes"
    tags = ("indexes",)

    @get(operation_id="list_indexes", summary="List the indexes over embedding slots")
    async def list_all(self, indexes: UseCase, limit: Limit = 100, offset: Offset = 0) -> IndexListResponse:
        """By slot; a slot without one is searched by comparing every vector."""
        return index_list_response(await indexes.list(), limit=limit, offset=offset)

    @post(
        operation_id="create_index",
        summary="Build an index for a slot",
        opt={"errors": (UnknownIndexSlot, IndexExists, InvalidIndex, IndexBuildUnderway)},
        guards=[unhurried],
    )
    async def create(self, indexes: UseCase, data: JSONBody[CreateIndexBody]) -> IndexResponse:
        """Answers when it is built, however long that takes; searches and writes go on meanwhile.

        Whoever stops waiting does not stop the build.
        """
        made = await indexes.create(data.model_name, data.index_type, data.parameters or {})
        return index_response(made)

    @post(
        "/auto-manage",
        status_code=200,
        operation_id="auto_manage_indexes",
        summary="Give every slot the index that its size calls for",
        opt={"errors": (IndexBuildUnderway,)},
        guards=[unhurried],
    )
    async def auto_manage(self, indexes: UseCase, data: JSONBody[AutoManageBody]) -> AutoManageResponse:
        """Builds what is missing, builds anew what does not fit; the server does so itself after an execution."""
        managed = await indexes.manage(dry_run=data.dry_run)
        return managed_response(managed, dry_run=data.dry_run)

    @get("/recommendations", operation_id="get_index_recommendations", summary="Advise on indexes")
    async def recommendations(self, indexes: UseCase) -> RecommendationsResponse:
        """What `auto-manage` would do for every slot, and why; nothing is done."""
        return recommendations_response(await indexes.manage(dry_run=True), indexes.thresholds)

    @get(
        "/{index_name:str}",
        operation_id="get_index",
        summary="Describe one index",
        opt={"errors": (IndexNotFound,)},
    )
    async def read(self, indexes: UseCase, index_name: Name) -> IndexResponse:
        """Its size, its parameters, and how often it was used."""
        return index_response(await indexes.get(index_name))

    @get(
        "/{index_name:str}/recall",
        operation_id="get_index_recall",
        summary="Measure what an index finds",
        opt={"errors": (IndexNotFound, InvalidSample)},
    )
    async def recall(
        self, indexes: UseCase, index_name: Name, sample: Sample = 50, limit: Nearest = 10
    ) -> RecallResponse:
        """Against comparing every vector, on a random sample of the slot's own."""
        measured = await indexes.recall(index_name, sample=sample, limit=limit)
        return RecallResponse(index_name=index_name, recall=measured, sample=sample, limit=limit)

    @post(
        "/{index_name:str}/rebuild",
        status_code=200,
        operation_id="rebuild_index",
        summary="Build an index anew",
        opt={"errors": (IndexNotFound, IndexBuildUnderway)},
        guards=[unhurried],
    )
    async def rebuild(self, indexes: UseCase, index_name: Name) -> IndexResponse:
        """The old one is used until the new one can be."""
        return index_response(await indexes.rebuild(index_name))

    @delete(
        "/{index_name:str}",
        operation_id="delete_index",
        summary="Drop an index",
        opt={"errors": (IndexNotFound, IndexBuildUnderway)},
    )
    async def drop(self, indexes: UseCase, index_name: Name) -> None:
        """Its slot is searched by comparing every vector from then on."""
        await indexes.drop(index_name)
