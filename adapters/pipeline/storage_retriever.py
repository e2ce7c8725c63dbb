"""The pipeline adapter ``storage_retriever``: loads what a stage kept."""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.pipeline.document_payload import DocumentPayload, name_as_title, read_payload
from adapters.pipeline.example_payloads import AN_OBJECT
from adapters.pipeline.offloading import offloaded
from adapters.pipeline.registry import Registration
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, PipelineContext
from domain.document import UnreadableDocument, document_id
from domain.json import Json, JsonObject
from domain.storage import StoredObject

# Objects that no document of ours was made of count as documents of this origin.
OBJECTS_ORIGIN = "objects"


class StorageRetrieverConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing can be set."""


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    object_key: str


class StorageRetriever:
    """Puts a stored object into the message, with what its sidecar says; so a replay needs the key alone."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Add the object's text as ``markdown``, or the fields of a JSON object; raises ObjectNotFound."""
        key = read_payload(context.message, _Request).object_key
        stored, content = await self._storage.fetch(key)
        fields = {**_described(stored), **context.message}
        if _is_json(stored):
            fields = {**fields, **await offloaded(len(content), _json_object, content, key)}
        else:
            fields["markdown"] = await offloaded(len(content), _text, content, key)
            fields["page_starts"] = await self._page_starts(stored)
        provenance = {name: fields[name] for name in ("origin", "url", "title", "document_id")}
        return AdapterResult(message=fields, metadata=provenance)

    async def _page_starts(self, stored: StoredObject) -> Json:
        key = stored.metadata.get("pages_key")
        if not isinstance(key, str):
            return ()
        return list(msgspec.json.decode(await self._storage.read(key), type=list[int]))


def _described(stored: StoredObject) -> JsonObject:
    """What the sidecar says of the document; the object stands for itself where it says nothing."""
    known = {
        name: stored.metadata[name] for name in DocumentPayload.__struct_fields__ if name in stored.metadata
    }
    name = stored.key.rpartition("/")[2]
    alone = {
        "document_id": document_id(OBJECTS_ORIGIN, stored.key),
        "origin": OBJECTS_ORIGIN,
        "title": name_as_title(name),
        "url": stored.key,
        "fingerprint": stored.checksum or f"{stored.size}:{stored.modified_at.isoformat()}",
    }
    return {**alone, **known, "object_key": stored.key}


def _is_json(stored: StoredObject) -> bool:
    return stored.content_type.partition(";")[0].strip() == "application/json"


def _text(content: bytes, key: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"the stored object {key!r} is not text in UTF-8") from error


def _json_object(content: bytes, key: str) -> JsonObject:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UnreadableDocument(f"the stored object {key!r} is not a JSON object") from error


def registration(storage: ObjectStorage) -> Registration:
    """How YAML names it and how it is built."""
    return Registration(
        type="storage_retriever",
        description="Loads a stored object, with what its sidecar says, into the message.",
        version="1",
        config=StorageRetrieverConfig,
        build=lambda _config: StorageRetriever(storage),
        example=AdapterExample(
            payload=AN_OBJECT,
            after=("smart_segmenter", "segment_publisher"),
            then=("embedding_generator", "segment_writer"),
        ),
    )
