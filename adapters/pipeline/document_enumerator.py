"""The pipeline adapter ``document_enumerator``: emits a message for each file of a folder or an uploaded set."""

from __future__ import annotations

import logging
import os.path
from collections.abc import AsyncIterator
from typing import Annotated, TypeAlias

import msgspec

from adapters.pipeline.document_payload import read_payload
from adapters.pipeline.file_selection import FileSelection
from adapters.pipeline.folder_walk import FolderWalk, FoundFile
from adapters.pipeline.registry import Registration
from application.ports.document_reader import DocumentReader
from application.ports.documents import Documents
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, Emission, PipelineContext
from domain.document import DocumentNotFound, document_id
from domain.errors import Invalid, NotFound
from domain.json import JsonObject

_log = logging.getLogger(__name__)

Pattern: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class NothingToEnumerate(Invalid):
    """The message names neither a folder nor a prefix of uploaded objects."""

    code = "nothing_to_enumerate"


class UploadNotFound(NotFound):
    """Nothing was uploaded under that prefix."""

    code = "upload_not_found"


class DocumentEnumeratorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``patterns`` and ``exclude`` are globs; a file of more than ``max_file_bytes`` is not read but goes dead."""

    patterns: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    max_file_bytes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    follow_symlinks: bool = False


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """``patterns`` of a message narrow those of the config for this time."""

    folder: str | None = None
    prefix: str | None = None
    origin: str | None = None
    patterns: tuple[Pattern, ...] = ()


class DocumentEnumerator:
    """Emits files as it finds them, then what has gone since the last time."""

    def __init__(
        self,
        config: DocumentEnumeratorConfig,
        storage: ObjectStorage,
        reader: DocumentReader,
        documents: Documents,
    ) -> None:
        self._config = config
        self._storage = storage
        self._reader = reader
        self._documents = documents

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Enumerate ``{"folder": …}`` or ``{"prefix": …}``; what cannot be read within is emitted with its problem."""
        request = read_payload(context.message, _Request)
        if (request.folder is None) == (request.prefix is None):
            raise NothingToEnumerate('the message must have either "folder" or "prefix"')
        if request.folder is not None:
            walk = await self._walk(request.folder)
            origin = request.origin or f"folder:{walk.folder}"
            emitted = self._of_folder(walk, origin, request)
        else:
            prefix = await self._prefix(request.prefix or "")
            origin = request.origin or f"uploads:{prefix}"
            emitted = self._of_upload(prefix, origin, request)
        return AdapterResult(
            message={**context.message, "origin": origin}, emitted=emitted, metadata={"origin": origin}
        )

    async def _walk(self, folder: str) -> FolderWalk:
        walk = FolderWalk(
            folder=_absolute(folder),
            prunes=self._selection().prunes,
            follow_symlinks=self._config.follow_symlinks,
        )
        await walk.require_readable()
        return walk

    async def _prefix(self, prefix: str) -> str:
        whole = prefix.rstrip("/") + "/"
        if whole == "/":
            raise NothingToEnumerate("the prefix is empty")
        async for _ in self._storage.list(whole):
            return whole
        raise UploadNotFound(f"nothing was uploaded under {whole!r}")

    async def _of_folder(self, walk: FolderWalk, origin: str, request: _Request) -> AsyncIterator[Emission]:
        selection = self._selection()
        seen: set[str] = set()
        passed_over = 0
        async for found in walk.files():
            if found.problem is None and not (selection.takes(found.name) and _narrowed(request, found.name)):
                passed_over += 1
                continue
            seen.add(document_id(origin, found.name))
            yield self._file(origin, found, {"path": found.path})
        _log.info("enumerated %s: %d files, %d passed over", origin, len(seen), passed_over + walk.skipped)
        if walk.is_complete:
            async for emission in self._gone(origin, seen, request):
                yield emission
        else:
            _log.warning("%s was not enumerated as a whole, so nothing is taken for removed", origin)

    async def _of_upload(self, prefix: str, origin: str, request: _Request) -> AsyncIterator[Emission]:
        selection = self._selection()
        seen: set[str] = set()
        async for stored in self._storage.list(prefix):
            name = stored.key.removeprefix(prefix)
            if selection.takes(name) and _narrowed(request, name):
                seen.add(document_id(origin, name))
                found = FoundFile(
                    name=name, path="", size=stored.size, modified_at=stored.modified_at.isoformat()
                )
                yield self._file(origin, found, {"object_key": stored.key})
        async for emission in self._gone(origin, seen, request):
            yield emission

    def _file(self, origin: str, found: FoundFile, place: JsonObject) -> Emission:
        """A message for one file. Its key tells states of the file apart, should it change between two attempts."""
        id_ = document_id(origin, found.name)
        limit = self._config.max_file_bytes
        problem = found.problem
        if problem is None and limit is not None and found.size is not None and found.size > limit:
            problem = f"the file has {found.size:,} bytes; the limit is {limit:,}"
        payload = {
            "document_id": id_,
            "origin": origin,
            **place,
            "name": found.name,
            "size": found.size,
            "modified_at": found.modified_at,
            **({"problem": problem} if problem else {}),
        }
        return Emission(
            payload=payload,
            metadata={"origin": origin, "url": found.name, "document_id": id_},
            key=f"{id_}:{found.size}:{found.modified_at}:{problem or ''}",
        )

    async def _gone(self, origin: str, seen: set[str], request: _Request) -> AsyncIterator[Emission]:
        for id_ in await self._documents.ids(origin):
            if id_ in seen or not await self._is_meant(id_, request):
                continue
            yield Emission(
                payload={"document_id": id_, "origin": origin, "removed": True},
                metadata={"origin": origin, "document_id": id_},
                key=f"{id_}:removed",
            )

    async def _is_meant(self, id_: str, request: _Request) -> bool:
        """Whether the message asked for that document: one outside its patterns is not gone for having been left out."""
        if not request.patterns:
            return True
        try:
            return _narrowed(request, (await self._documents.current(id_)).url)
        except DocumentNotFound:
            return False

    def _selection(self) -> FileSelection:
        return FileSelection(
            patterns=self._config.patterns, exclude=self._config.exclude, supports=self._reader.supports
        )


def _absolute(folder: str) -> str:
    if not os.path.isabs(folder):  # noqa: PTH117 - pathlib would not take every path
        raise NothingToEnumerate(f"the folder must be an absolute path, not {folder!r}")
    return os.path.normpath(folder)


def _narrowed(request: _Request, name: str) -> bool:
    return FileSelection(patterns=request.patterns, exclude=(), supports=bool).matches(name)


def registration(storage: ObjectStorage, reader: DocumentReader, documents: Documents) -> Registration:
    """How YAML names it and how it is built."""

    def build(config: DocumentEnumeratorConfig) -> DocumentEnumerator:
        return DocumentEnumerator(config, storage, reader, documents)

    return Registration(
        type="document_enumerator",
        description="Emits a message for each file of a folder or an uploaded set, and for each that is gone.",
        version="1",
        config=DocumentEnumeratorConfig,
        build=build,
        example=AdapterExample(
            payload={"folder": "/srv/documents"}, then=("document_reader", "markdown_storage_writer")
        ),
    )
