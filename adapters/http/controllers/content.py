"""What executions kept, as archives to download."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.bodies import JsonRequest
from adapters.http.errors import RangeNotSatisfiable
from adapters.http.object_answers import PART_ANSWERS, RANGE_PARAMETERS, object_answer
from adapters.http.streaming import ByteStream
from adapters.http.wire.content import (
    ArchivePrepareRequest,
    ArchiveResponse,
    ContentCountResponse,
    archive_response,
    count_response,
    extensions_of,
    selection_of,
)
from application.archives.archiving import Archiving
from domain.archive import (
    ArchiveNotFound,
    ArchiveNotReady,
    InvalidSelection,
    NothingSelected,
    ObjectSelection,
)
from domain.execution import ExecutionNotFound
from domain.storage import ObjectNotFound

UseCase = NamedDependency[SkipValidation[Archiving]]
JobId = Annotated[UUID, PathParameter(description="The archive's id.")]
_ZIP: dict[str, Any] = {
    "description": "The ZIP file.",
    "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}, "example": "PK"}},
}


class ContentController(Controller):
    path = "/api/v1/content"
    tags = ("content",)

    @post(
        "/archive/prepare",
        status_code=202,
        operation_id="archive_prepare",
        summary="Prepare an archive of what an execution kept",
        opt={"errors": (ExecutionNotFound, NothingSelected, InvalidSelection)},
    )
    async def prepare(
        self, archiving: UseCase, data: JSONBody[ArchivePrepareRequest]
    ) -> Response[ArchiveResponse]:
        """A ZIP file of the objects under their keys, made in the background; `Location` tells how it stands.

        It is kept for a day. When the server stops meanwhile, another one or its next start begins anew.
        """
        execution_id = await archiving.execution_id_of(data.execution_id)
        archive = await archiving.prepare(
            selection_of(data, execution_id), includes_metadata=data.include_metadata
        )
        headers = {"location": f"{self.path}/archive/{archive.id}/status"}
        return Response(archive_response(archive), headers=headers)

    @get(
        "/archive/{job_id:uuid}/status",
        operation_id="archive_status",
        summary="Tell how an archive stands",
        opt={"errors": (ArchiveNotFound,)},
    )
    async def status(self, archiving: UseCase, job_id: JobId) -> ArchiveResponse:
        """`preparing` at first, then one of the others, which stays."""
        return archive_response(await archiving.get(job_id))

    @get(
        "/archive/{job_id:uuid}/download",
        operation_id="archive_download",
        summary="Download an archive",
        opt={
            "errors": (ArchiveNotFound, ArchiveNotReady, ObjectNotFound, RangeNotSatisfiable),
            "answer": _ZIP,
            "answers": PART_ANSWERS,
            "parameters": RANGE_PARAMETERS,
        },
    )
    async def download(self, archiving: UseCase, job_id: JobId, request: JsonRequest) -> ByteStream:
        """Streamed; a download that broke off goes on with `Range`, and `If-Range` with the ETag makes it safe."""
        archive, stored = await archiving.ready(job_id)
        disposition = f"attachment; filename*=UTF-8''{quote(archive.filename)}"
        return object_answer(stored, archiving.storage.stream, request, content_disposition=disposition)

    @delete(
        "/archive/{job_id:uuid}",
        operation_id="archive_cancel",
        summary="Cancel or delete an archive",
        opt={"errors": (ArchiveNotFound,)},
    )
    async def cancel(self, archiving: UseCase, job_id: JobId) -> None:
        """One that is being prepared becomes `cancelled` and leaves no file; one that has ended is deleted."""
        await archiving.discard(job_id)

    @get(
        "/count",
        operation_id="count_content",
        summary="Count what an execution kept",
        opt={"errors": (ExecutionNotFound, InvalidSelection)},
    )
    async def count(
        self,
        archiving: UseCase,
        execution_id: Annotated[str, QueryParameter(description="The execution's id or tag.")],
        route: Annotated[str | None, QueryParameter(description="Only of this route.")] = None,
        stage: Annotated[
            str | None, QueryParameter(description="Only of this stage, as `<stage>` or `<route>/<stage>`.")
        ] = None,
        path: Annotated[str, QueryParameter(description="How keys go on after the execution's id.")] = "",
        extension: Annotated[
            str | None, QueryParameter(description="How keys end, as in `.md,.json`.")
        ] = None,
    ) -> ContentCountResponse:
        """Without reading any of it; exact up to a million objects."""
        selection = ObjectSelection(
            execution_id=await archiving.execution_id_of(execution_id),
            routes=(route,) if route else (),
            stages=(stage,) if stage else (),
            path=path,
            extensions=extensions_of(extension),
        )
        return count_response(selection.execution_id, await archiving.count(selection))
