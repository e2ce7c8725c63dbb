"""The pipeline adapter ``document_reader``: turns a file into Markdown, unless the index has it already."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from adapters.pipeline.document_payload import (
    DocumentPayload,
    FilePayload,
    UnreadableDocumentMessage,
    document_fields,
    name_as_title,
    read_payload,
)
from adapters.pipeline.example_payloads import A_FILE
from adapters.pipeline.file_content import FileVanished, file_content, object_content
from adapters.pipeline.offloading import SMALL
from adapters.pipeline.registry import Registration
from adapters.pipeline.resources import Resources
from application.batcher import Batcher
from application.ports.document_reader import DocumentReader as FileReader
from application.ports.documents import Documents
from application.ports.embedding_model import EmbeddingModel
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, PipelineContext
from domain.document import DocumentNotFound, EmptyDocument, ReadDocument, UnreadableDocument
from domain.errors import FactflowError
from domain.identity import derived_id
from domain.language import detect
from domain.segmentation import SEGMENTATION_VERSION

DEFAULT_MAX_FILE_BYTES = 100 * 1024 * 1024
# Waking a thread costs more than to read a small file, so a thread takes several of those.
GROUP = 8
LANES = 4
# What is uploaded may be large and is held in memory as a whole.
OBJECTS = 8


class DocumentReaderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``fingerprint`` goes into the fingerprint of every document: change it, and all are read and embedded again."""

    max_file_bytes: Annotated[int, msgspec.Meta(ge=1)] = DEFAULT_MAX_FILE_BYTES
    fingerprint: str = ""


class _Asked(NamedTuple):
    name: str
    path: str
    known: str | None


class _Found(NamedTuple):
    read: ReadDocument
    language: str
    fingerprint: str


class DocumentReader:
    """Reads files in threads, small ones several in a step."""

    def __init__(
        self,
        config: DocumentReaderConfig,
        storage: ObjectStorage,
        reader: FileReader,
        documents: Documents,
        model: EmbeddingModel,
    ) -> None:
        self._config = config
        self._storage = storage
        self._reader = reader
        self._documents = documents
        self._model = model
        self._small: Batcher[_Asked, _Found | FactflowError | None] = Batcher(
            self._of_paths, size=GROUP, lanes=LANES
        )
        self._objects = asyncio.Semaphore(OBJECTS)

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """The document with its ``markdown``; None when it is indexed as it is, or was removed.

        A file that is gone or empty is taken out of the index and raises, as does what cannot be read.
        """
        file = read_payload(context.message, FilePayload)
        if file.removed:
            await self._documents.remove(file.document_id)
            return None
        if file.problem is not None:
            raise UnreadableDocument(f"{file.name}: {file.problem}")
        known = await self._indexed_fingerprint(file.document_id)
        try:
            found = await self._found(file, known)
        except (FileVanished, EmptyDocument):
            await self._documents.remove(file.document_id)
            raise
        return None if found is None else _result(file, found)

    async def _found(self, file: FilePayload, known: str | None) -> _Found | None:
        """Everything that takes time in one thread, from one waiting to the other; None when it is known as it is."""
        if file.path is not None:
            asked = _Asked(file.name, file.path, known)
            if file.size is None or file.size > SMALL:
                return await asyncio.to_thread(self._of_path, asked)
            return _unless_error(await self._small.submit(asked))
        if file.object_key is not None:
            async with self._objects:
                content = await object_content(file.object_key, self._storage, self._config.max_file_bytes)
                name = f"page{file.read_as}" if file.read_as else file.name
                return await asyncio.to_thread(self._read, name, content, known)
        raise UnreadableDocumentMessage('the message must have either "path" or "object_key"')

    async def _of_paths(self, asked: Sequence[_Asked]) -> Sequence[_Found | FactflowError | None]:
        return await asyncio.to_thread(lambda: [self._outcome(one) for one in asked])

    def _outcome(self, asked: _Asked) -> _Found | FactflowError | None:
        try:
            return self._of_path(asked)
        except FactflowError as error:
            return error

    def _of_path(self, asked: _Asked) -> _Found | None:
        return self._read(asked.name, file_content(asked.path, self._config.max_file_bytes), asked.known)

    def _read(self, name: str, content: bytes, known: str | None) -> _Found | None:
        fingerprint = self._fingerprint(content)
        if fingerprint == known:
            return None
        read = self._reader.read(name, content)
        return _Found(read, read.language or detect(read.markdown), fingerprint)

    def _fingerprint(self, content: bytes) -> str:
        """Changes with whatever would make other vectors of the file."""
        digest = hashlib.sha256(content).hexdigest()
        versions = (self._reader.version, SEGMENTATION_VERSION, self._config.fingerprint)
        return derived_id("fingerprint", digest, *versions, self._model.model_name, self._model.identity).hex

    async def _indexed_fingerprint(self, document_id: str) -> str | None:
        try:
            return (await self._documents.current(document_id)).fingerprint
        except DocumentNotFound:
            return None


def _unless_error(outcome: _Found | FactflowError | None) -> _Found | None:
    if isinstance(outcome, FactflowError):
        raise outcome
    return outcome


def _result(file: FilePayload, found: _Found) -> AdapterResult:
    read = found.read
    payload = DocumentPayload(
        document_id=file.document_id,
        fingerprint=found.fingerprint,
        origin=file.origin,
        title=read.title or name_as_title(file.name),
        url=file.name,
        language=found.language,
        format=str(read.metadata.get("format", "text")),
    )
    fields = document_fields(payload)
    provenance = {name: fields[name] for name in ("origin", "url", "title", "document_id")}
    return AdapterResult(
        message={**fields, "page_starts": read.page_starts, "markdown": read.markdown}, metadata=provenance
    )


def registration(resources: Resources) -> Registration:
    """How YAML names it and how it is built."""

    def build(config: DocumentReaderConfig) -> DocumentReader:
        return DocumentReader(
            config, resources.storage, resources.reader, resources.documents, resources.models.own
        )

    return Registration(
        type="document_reader",
        description="Turns a file into Markdown with headings, unless the index has it already as it is.",
        version="1",
        config=DocumentReaderConfig,
        build=build,
        example=AdapterExample(payload=A_FILE, after=("markdown_storage_writer",)),
    )
