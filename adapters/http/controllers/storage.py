"""Stored objects: looking through what stages kept, reading it, and uploads."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.bodies import JsonRequest
from adapters.http.controllers.executions import UseCase as ExecutionsUseCase
from adapters.http.errors import BodyTooLarge, MalformedRequest, RangeNotSatisfiable, UploadBrokenOff
from adapters.http.object_answers import PART_ANSWERS, RANGE_PARAMETERS, object_answer, object_headers
from adapters.http.object_paths import key_of
from adapters.http.settings import HttpSettings
from adapters.http.streaming import ByteStream
from adapters.http.uploads import uploaded
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.storage import (
    ListObjectsResponse,
    ObjectMetadataResponse,
    execution_prefixes,
    list_objects_response,
    object_metadata_response,
)
from application.object_listing import InvalidCursor, ObjectQuery
from application.stored_objects import KeyNotWritable, StoredObjects
from domain.storage import InvalidKey, InvalidObjectDescription, ObjectNotFound

UseCase = NamedDependency[SkipValidation[StoredObjects]]
Text = Annotated[str | None, QueryParameter(description="Only objects whose sidecar has this.")]
Prefix = Annotated[str, QueryParameter(description="Only keys that begin so.")]
Delimiter = Annotated[
    str | None,
    QueryParameter(
        min_length=1, max_length=10, description="What lies below a further one is one common prefix."
    ),
]
Extension = Annotated[str | None, QueryParameter(description="Only keys that end so, as in `.md,.json`.")]
WithMetadata = Annotated[bool, QueryParameter(description="With each object's sidecar.")]
WithExecutions = Annotated[bool, QueryParameter(description="With how the executions in the page stand.")]
Cursor = Annotated[str | None, QueryParameter(description="The `next_cursor` of the page before.")]

_KEY = "The storage key; its slashes need no escaping."
_CONTENT: dict[str, Any] = {
    "description": "The object's bytes, under its own media type.",
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}, "example": "# Handbook"}},
}
_UPLOAD: dict[str, Any] = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}, "example": "# Notes"}
    },
}


class StorageController(Controller):
    path = "/api/v1/storage"
    tags = ("storage",)

    @get(
        "/objects",
        operation_id="list_objects",
        summary="List stored objects",
        opt={"errors": (InvalidCursor,)},
    )
    async def list_all(
        self,
        stored_objects: UseCase,
        executions: ExecutionsUseCase,
        prefix: Prefix = "",
        delimiter: Delimiter = None,
        extension: Extension = None,
        correlation_id: Text = None,
        route_id: Text = None,
        stage: Text = None,
        include_metadata: WithMetadata = True,  # noqa: FBT002
        include_execution_info: WithExecutions = False,  # noqa: FBT002
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> ListObjectsResponse:
        """By key. With a `delimiter` as in folders: what lies deeper is summed up in `common_prefixes`.

        `total` counts from the cursor on, and is exact up to 10,000.
        """
        query = ObjectQuery(
            prefix=prefix,
            delimiter=delimiter,
            extensions=tuple(part for part in (extension or "").split(",") if part.strip()),
            correlation_id=correlation_id,
            route_id=route_id,
            stage=stage,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        page = await stored_objects.list(query)
        found = await execution_prefixes(page, executions) if include_execution_info else []
        return list_objects_response(page, query, with_metadata=include_metadata, executions=found)

    @get(
        "/objects/{key:path}",
        operation_id="get_object_content",
        summary="Read a stored object",
        opt={
            "errors": (ObjectNotFound, InvalidKey, MalformedRequest, RangeNotSatisfiable),
            "key": _KEY,
            "answer": _CONTENT,
            "answers": PART_ANSWERS,
            "parameters": RANGE_PARAMETERS,
        },
    )
    async def read(self, stored_objects: UseCase, request: JsonRequest) -> ByteStream:
        """Streamed; a `Range` gives a part of it. `…/metadata` asks for the metadata of what stands before."""
        stored = await stored_objects.head(key_of(request.scope))
        return object_answer(stored, stored_objects.stream, request)

    @get(
        "/metadata-of/{key:path}",
        operation_id="get_object_metadata",
        summary="Read a stored object's metadata",
        opt={
            "errors": (ObjectNotFound, InvalidKey, MalformedRequest),
            "key": _KEY,
            "path": "/api/v1/storage/objects/{key}/metadata",
        },
    )
    async def metadata(self, stored_objects: UseCase, request: JsonRequest) -> ObjectMetadataResponse:
        """What is known of it without reading it: the sidecar's fields, and the whole sidecar."""
        return object_metadata_response(await stored_objects.head(key_of(request.scope, with_suffix=True)))

    @put(
        "/objects/{key:path}",
        status_code=201,
        request_max_body_size=None,
        operation_id="put_object",
        summary="Store an object",
        opt={
            "errors": (
                InvalidKey,
                MalformedRequest,
                KeyNotWritable,
                InvalidObjectDescription,
                BodyTooLarge,
                UploadBrokenOff,
            ),
            "key": f"{_KEY} It begins with `uploads/`.",
            "body": _UPLOAD,
        },
    )
    async def write(
        self,
        stored_objects: UseCase,
        settings: NamedDependency[SkipValidation[HttpSettings]],
        request: JsonRequest,
    ) -> Response[ObjectMetadataResponse]:
        """Streamed into storage, and there when it is complete; an object of that key is replaced.

        Keys begin with `uploads/`: what executions kept is the source of replays and is not overwritten.
        """
        stored = await stored_objects.put(
            key_of(request.scope),
            uploaded(request, limit=settings.max_upload_bytes),
            content_type=request.headers.get("content-type") or "application/octet-stream",
        )
        return Response(object_metadata_response(stored), headers={"etag": object_headers(stored)["etag"]})

    @delete(
        "/objects/{key:path}",
        operation_id="delete_object",
        summary="Delete a stored object",
        opt={"errors": (ObjectNotFound, InvalidKey, MalformedRequest, KeyNotWritable), "key": _KEY},
    )
    async def remove(self, stored_objects: UseCase, request: JsonRequest) -> None:
        """Uploads only."""
        await stored_objects.delete(key_of(request.scope))
