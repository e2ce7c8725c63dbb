"""Archives and counts of what executions kept on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from application.archives.counting import ObjectCount
from domain.archive import Archive, ObjectSelection

Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=500)]], Meta(max_length=50)]


class ArchivePrepareRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of an execution's objects to pack; what is left out restricts nothing.

    `execution_id` may be a tag. `stage` and `stages` add up, each as `<stage>` or `<route>/<stage>`. `path` is how keys
    go on after the execution's id, `extension` how they end, as in `.md,.json`. With `include_metadata` every object's
    sidecar is packed beside it.
    """

    domain: Literal["storage"] = "storage"
    execution_id: Annotated[str, Meta(min_length=1, max_length=200)]
    stage: Annotated[str, Meta(max_length=500, examples=["markdown"])] | None = None
    stages: Names = []
    routes: Annotated[Names, Meta(examples=[["read"]])] = []
    path: Annotated[str, Meta(max_length=1024, examples=["read/markdown/"])] | None = None
    extension: Annotated[str, Meta(max_length=500, examples=[".md,.json"])] | None = None
    include_metadata: bool = True


class ArchiveResponse(Struct, frozen=True, kw_only=True):
    """How an archive stands: `processed` of `total` objects are packed, which hold `bytes_packed`.

    `total` is a lower bound while `is_total_exact` is false. `file_size` is known when it is `ready`, `error` says why
    it `failed`.
    """

    job_id: UUID
    execution_id: UUID
    status: Annotated[Literal["preparing", "ready", "failed", "cancelled"], Meta(examples=["preparing"])]
    total: int
    is_total_exact: bool
    processed: int
    object_count: int
    bytes_packed: int
    progress: Annotated[float, Meta(examples=[0.42])]
    filename: Annotated[str, Meta(examples=["execution-nightly-2026-01-31.zip"])]
    file_size: int | None
    error: Annotated[str, Meta(examples=["the storage did not answer"])] | None
    created_at: datetime
    ended_at: datetime | None


class ContentCountResponse(Struct, frozen=True, kw_only=True):
    """How many objects there are and the bytes they hold; both are lower bounds unless `is_exact`."""

    execution_id: UUID
    count: int
    total_bytes: int
    is_exact: bool


def selection_of(data: ArchivePrepareRequest, execution_id: UUID) -> ObjectSelection:
    """What is selected; raises InvalidSelection."""
    return ObjectSelection(
        execution_id=execution_id,
        routes=tuple(data.routes),
        stages=(*((data.stage,) if data.stage else ()), *data.stages),
        path=data.path or "",
        extensions=extensions_of(data.extension),
    )


def extensions_of(text: str | None) -> tuple[str, ...]:
    """Endings written with commas between."""
    return tuple(one for one in (text or "").split(",") if one.strip())


def archive_response(archive: Archive) -> ArchiveResponse:
    """An archive as it travels."""
    return ArchiveResponse(
        job_id=archive.id,
        execution_id=archive.selection.execution_id,
        status=archive.status.value,
        total=archive.total,
        is_total_exact=archive.is_total_exact,
        processed=archive.processed,
        object_count=archive.processed,
        bytes_packed=archive.bytes_packed,
        progress=round(archive.progress, 4),
        filename=archive.filename,
        file_size=archive.size,
        error=archive.error,
        created_at=archive.created_at,
        ended_at=archive.ended_at,
    )


def count_response(execution_id: UUID, counted: ObjectCount) -> ContentCountResponse:
    """A count as it travels."""
    return ContentCountResponse(
        execution_id=execution_id,
        count=counted.objects,
        total_bytes=counted.size,
        is_exact=counted.is_exact,
    )
