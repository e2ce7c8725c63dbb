"""Embedding slots, vectors for texts, and re-embedding."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.bodies import JsonRequest
from adapters.http.url_names import name_after
from adapters.http.wire.embeddings import (
    EmbedBody,
    EmbeddingSlotListResponse,
    EmbeddingSlotResponse,
    EmbeddingStatsResponse,
    EmbedResponse,
    ReembedBody,
    ReembeddingListResponse,
    ReembeddingResponse,
    RemovedEmbeddingsResponse,
    embed_response,
    embedding_slot_list_response,
    embedding_slot_response,
    embedding_stats_response,
    reembedding_list_response,
    reembedding_response,
)
from adapters.http.wire.pages import Limit, Offset
from application.embedding_holdings import EmbeddingHoldings
from application.embedding_models import EmbeddingSlotNotFound
from application.embeddings import Embeddings, InvalidTexts
from application.reembedding import (
    InvalidReembedding,
    ReembeddingNotFound,
    Reembeddings,
    ReembeddingUnderway,
)
from domain.document import DocumentNotFound
from domain.embedding_slot import EmbeddingModelMixed
from domain.execution import ExecutionNotFound, StatusChangeNotAllowed, TooManyConcurrentExecutions
from domain.findings import ConfigNotRunnable
from domain.pipeline_config import ConfigInactive, ConfigNotFound
from domain.retrieval.errors import EmbeddingInputRefused
from domain.retrieval.vector_indexes import IndexBuildUnderway

UseCase = NamedDependency[SkipValidation[Embeddings]]
HoldingsUseCase = NamedDependency[SkipValidation[EmbeddingHoldings]]
ReembeddingsUseCase = NamedDependency[SkipValidation[Reembeddings]]
_SLOTS = b"/api/v1/embeddings/slots/"
_NAME = "The slot's name; its slashes need no escaping."
JobId = Annotated[UUID, PathParameter(description="The run's id, which is its execution's.")]
DocumentId = Annotated[str, PathParameter(description="The document's id.")]
ExecutionId = Annotated[str, PathParameter(description="The execution's id or tag.")]
OfSlot = Annotated[
    str | None, QueryParameter(name="model_name", description="Only from this slot; unset, from all.")
]


class EmbeddingsController(Controller):
    path = "/api/v1/embeddings"
    tags = ("embeddings",)

    @post(
        status_code=200,
        operation_id="embed_texts",
        summary="Embed texts",
        opt={"errors": (EmbeddingSlotNotFound, InvalidTexts, EmbeddingInputRefused)},
    )
    async def embed(self, embeddings: UseCase, data: JSONBody[EmbedBody]) -> EmbedResponse:
        """Vectors as those of segments and queries are made; what a model does not read of a long text is cut."""
        return embed_response(await embeddings.embed(data.texts, model_name=data.model_name))

    @get("/slots", operation_id="list_embedding_slots", summary="List the embedding slots")
    async def slots(
        self, embedding_holdings: HoldingsUseCase, limit: Limit = 100, offset: Offset = 0
    ) -> EmbeddingSlotListResponse:
        """Those that have a model here, and those that hold vectors of models that are not."""
        return embedding_slot_list_response(await embedding_holdings.list(), limit=limit, offset=offset)

    @get(
        "/slots/{model_name:path}",
        operation_id="get_embedding_slot",
        summary="Describe an embedding slot",
        opt={"errors": (EmbeddingSlotNotFound,), "key": _NAME},
    )
    async def slot(self, embedding_holdings: HoldingsUseCase, request: JsonRequest) -> EmbeddingSlotResponse:
        """Its model, and what it holds and lacks."""
        return embedding_slot_response(await embedding_holdings.get(name_after(_SLOTS, request.scope)))

    @delete(
        "/slots/{model_name:path}",
        status_code=200,
        operation_id="drop_embedding_slot",
        summary="Drop an embedding slot with its vectors",
        opt={"errors": (EmbeddingSlotNotFound, IndexBuildUnderway), "key": _NAME},
    )
    async def drop(
        self, embedding_holdings: HoldingsUseCase, request: JsonRequest
    ) -> RemovedEmbeddingsResponse:
        """All of them at once, with its index; then the name is free for another model."""
        model_name = name_after(_SLOTS, request.scope)
        removed = await embedding_holdings.drop(model_name)
        return RemovedEmbeddingsResponse(removed=removed, model_name=model_name)

    @get("/stats", operation_id="get_embedding_stats", summary="Count what is embedded")
    async def statistics(self, embedding_holdings: HoldingsUseCase) -> EmbeddingStatsResponse:
        """Over all slots, and for each."""
        return embedding_stats_response(await embedding_holdings.statistics())

    @delete(
        "/documents/{document_id:str}",
        status_code=200,
        operation_id="delete_document_embeddings",
        summary="Take out a document's vectors",
        opt={"errors": (DocumentNotFound, EmbeddingSlotNotFound)},
    )
    async def remove_document(
        self, embedding_holdings: HoldingsUseCase, document_id: DocumentId, of_slot: OfSlot = None
    ) -> RemovedEmbeddingsResponse:
        """Its segments stay, and are found by words; re-embedding makes their vectors again."""
        removed = await embedding_holdings.remove_document(document_id, model_name=of_slot)
        return RemovedEmbeddingsResponse(removed=removed, model_name=of_slot)

    @delete(
        "/executions/{execution_id:str}",
        status_code=200,
        operation_id="delete_execution_embeddings",
        summary="Take out the vectors of what an execution indexed",
        opt={"errors": (ExecutionNotFound, EmbeddingSlotNotFound)},
    )
    async def remove_execution(
        self, embedding_holdings: HoldingsUseCase, execution_id: ExecutionId, of_slot: OfSlot = None
    ) -> RemovedEmbeddingsResponse:
        """The segments stay, and are found by words; re-embedding makes their vectors again."""
        _, removed = await embedding_holdings.remove_execution(execution_id, model_name=of_slot)
        return RemovedEmbeddingsResponse(removed=removed, model_name=of_slot)

    @post(
        "/reembed",
        status_code=202,
        operation_id="reembed",
        summary="Embed what is indexed into a slot",
        opt={
            "errors": (
                EmbeddingSlotNotFound,
                EmbeddingModelMixed,
                ReembeddingUnderway,
                InvalidReembedding,
                ConfigNotFound,
                ConfigInactive,
                ConfigNotRunnable,
                TooManyConcurrentExecutions,
            )
        },
    )
    async def reembed(
        self, reembeddings: ReembeddingsUseCase, data: JSONBody[ReembedBody]
    ) -> Response[ReembeddingResponse]:
        """Every segment that has no vector there yet; `Location` tells how far it has come."""
        run = await reembeddings.begin(data.model_name, origins=data.origins or ())
        return Response(reembedding_response(run), headers={"location": f"{self.path}/reembed/{run.id}"})

    @get("/reembed", operation_id="list_reembeddings", summary="List re-embedding runs")
    async def runs(
        self, reembeddings: ReembeddingsUseCase, limit: Limit = 100, offset: Offset = 0
    ) -> ReembeddingListResponse:
        """The latest first."""
        found, total = await reembeddings.list(limit=limit, offset=offset)
        return reembedding_list_response(found, total=total, limit=limit, offset=offset)

    @get(
        "/reembed/{job_id:uuid}",
        operation_id="get_reembedding",
        summary="Read how far a re-embedding run has come",
        opt={"errors": (ReembeddingNotFound,)},
    )
    async def run(self, reembeddings: ReembeddingsUseCase, job_id: JobId) -> ReembeddingResponse:
        """It is an execution too: pause, watch and redrive it as one."""
        return reembedding_response(await reembeddings.get(str(job_id)))

    @delete(
        "/reembed/{job_id:uuid}",
        status_code=200,
        operation_id="cancel_reembedding",
        summary="Cancel a re-embedding run",
        opt={"errors": (ReembeddingNotFound, StatusChangeNotAllowed)},
    )
    async def cancel(self, reembeddings: ReembeddingsUseCase, job_id: JobId) -> ReembeddingResponse:
        """What is embedded stays; another run does the rest."""
        return reembedding_response(await reembeddings.cancel(str(job_id)))
