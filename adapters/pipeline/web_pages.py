"""Fetches the pages of a crawl politely, and keeps what it got, so that another attempt need not ask again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from application.ports.clock import Clock
from application.ports.fetcher import Fetched, FetchFailed
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import PipelineContext
from domain.document import document_id
from domain.identity import derived_id
from domain.storage import ObjectNotFound, StoredObject, stage_key
from domain.website import page_address

STAGE = "web_pages"
READ_AS = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
"""What a page's media type is read as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What was found at an address. ``key`` is where the content is kept, empty unless there is some."""

    address: str
    status: int
    content_type: str = ""
    content: bytes = b""
    key: str = ""
    location: str | None = None


@dataclass(slots=True, kw_only=True)
class SitePages:
    """The pages of one crawl. One request at a time, ``delay_seconds`` after the one before.

    ``first`` are answers that are there already.
    """

    storage: ObjectStorage
    clock: Clock
    fetch: Callable[[str], Awaitable[Fetched]]
    first: Mapping[str, Fetched]
    delay_seconds: float
    context: PipelineContext
    origin: str
    _last: float | None = None

    async def get(self, address: str) -> Page:
        """The page as an earlier attempt got it, or as it is now; raises FetchFailed, DestinationRefused."""
        key = self._key(address)
        try:
            stored, content = await self.storage.fetch(key)
        except ObjectNotFound:
            return await self._kept(await self.look(address), key)
        return Page(
            address=address, status=200, content_type=_essence(stored), content=content, key=stored.key
        )

    async def look(self, address: str) -> Page:
        """The page as it is now, which is not kept, so that no replay takes it in; raises as ``get`` does."""
        answer = self.first.get(address)
        if answer is None:
            await self._wait()
            answer = await self.fetch(address)
        if answer.is_truncated:
            raise FetchFailed(f"{address} has more than {len(answer.content):,} bytes")
        if answer.status != 200:
            location = None if answer.location is None else page_address(answer.location)
            return Page(address=address, status=answer.status, location=location)
        if answer.content_type not in READ_AS:
            # Nothing is made of it.
            return Page(address=address, status=200, content_type=answer.content_type)
        return Page(address=address, status=200, content_type=answer.content_type, content=answer.content)

    async def _kept(self, page: Page, key: str) -> Page:
        if page.status != 200 or page.content_type not in READ_AS:
            return page
        stored = await self.storage.write(
            key,
            page.content,
            content_type=page.content_type,
            metadata=self._sidecar(page.address, page.content_type),
            if_absent=True,
        )
        return replace(page, key=stored.key)

    async def _wait(self) -> None:
        now = self.clock.monotonic()
        # Before the first one too: what led here has been asked for a moment ago.
        last = now if self._last is None else self._last
        if (rest := last + self.delay_seconds - now) > 0:
            await self.clock.sleep(rest)
        self._last = self.clock.monotonic()

    def _key(self, address: str) -> str:
        """One for each page of the message."""
        context = self.context
        page_id = derived_id("web page", str(context.message_id), address)
        return stage_key(context.execution_id, context.route_id, STAGE, page_id)

    def _sidecar(self, address: str, content_type: str) -> dict[str, str]:
        """With what a replay of the stage gives to ``document_reader``."""
        context = self.context
        return {
            "execution_id": str(context.execution_id),
            "route_id": context.route_id,
            "stage": STAGE,
            "adapter_name": context.adapter_type,
            "message_id": str(context.message_id),
            "correlation_id": str(context.correlation_id),
            "origin": self.origin,
            "url": address,
            "name": address,
            "read_as": READ_AS[content_type],
            "document_id": document_id(self.origin, address),
        }


def _essence(stored: StoredObject) -> str:
    return stored.content_type.partition(";")[0]
