"""The pipeline adapter ``web_crawler``: visits the pages of a website and emits a message for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated, NamedTuple, TypeAlias

import msgspec

from adapters.pipeline.document_payload import read_payload
from adapters.pipeline.page_links import PageLinks, links_of
from adapters.pipeline.resources import Resources
from adapters.pipeline.robots import Robots, robots_of
from adapters.pipeline.web_pages import READ_AS, Page, SitePages
from application.ports.documents import Documents
from application.ports.fetcher import Fetched, FetchFailed
from application.ports.pipeline_adapter import (
    AdapterExample,
    AdapterResult,
    Emission,
    PipelineContext,
    Registration,
)
from domain.document import document_id
from domain.errors import FactflowError, Invalid, Refused, Unavailable
from domain.identity import derived_id
from domain.json import JsonObject
from domain.website import Frontier, SiteScope, Visit, is_match, page_address, place_of

_log = logging.getLogger(__name__)

MOST_REDIRECTS = 5
LONGEST_DELAY_SECONDS = 60.0
ADDRESSES_A_PAGE = 10
"""A crawl visits so many addresses at most for each page that it may take in: a calendar has no end."""
GONE = frozenset({404, 410})
MOVED = frozenset({301, 308})
"""Redirects that are meant to last: a site in maintenance sends everything elsewhere for a while."""
Pattern: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class NothingToCrawl(Invalid):
    """The message names no address of a website."""

    code = "nothing_to_crawl"


class CrawlRefused(Refused):
    """The site asks not to be crawled."""

    code = "crawl_refused"


class WebCrawlerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``patterns`` and ``exclude`` are globs over path and query; ``delay_seconds`` is between two requests."""

    max_pages: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 100
    max_depth: Annotated[int, msgspec.Meta(ge=0, le=100)] = 3
    patterns: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_DELAY_SECONDS)] = 1.0
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=120)] = 30.0
    max_page_bytes: Annotated[int, msgspec.Meta(ge=1, le=100 * 1024 * 1024)] = 10 * 1024 * 1024


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    url: str = ""
    origin: str | None = None


class _Start(NamedTuple):
    address: str
    answer: Fetched
    robots: Robots
    is_lasting: bool


class WebCrawler:
    """Stays on one host, goes where robots.txt lets it, one request at a time, the nearest pages first."""

    def __init__(self, config: WebCrawlerConfig, resources: Resources) -> None:
        self._config = config
        self._resources = resources
        self._documents: Documents = resources.documents

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Crawl from ``{"url": …}``; emits pages as they come, then the documents of the origin that are gone.

        Raises NothingToCrawl, CrawlRefused, InvalidUrl, DestinationRefused, and FetchFailed when the first page or
        robots.txt gives no answer.
        """
        request = read_payload(context.message, _Request)
        given = page_address(request.url)
        if given is None:
            raise NothingToCrawl(f"{request.url[:200]!r} is not the address of a website")
        start = await self._start(given)
        origin = request.origin or place_of(start.address)
        return AdapterResult(
            message={**context.message, "origin": origin},
            emitted=self._crawl(context, start, origin),
            metadata={"origin": origin},
        )

    async def _start(self, address: str) -> _Start:
        """Where the first address leads, and for how long: a site often sends on to its proper host."""
        is_lasting = True
        for _ in range(MOST_REDIRECTS):
            robots = await robots_of(
                address, self._resources.fetcher, timeout_seconds=self._config.timeout_seconds
            )
            if not robots.allows(address):
                raise CrawlRefused(f"the robots.txt of {place_of(address)} asks not to fetch {address}")
            answer = await self._fetch(address)
            if answer.location is None:
                if answer.status != 200:
                    raise FetchFailed(f"{address} answered {answer.status}")
                return _Start(address, answer, robots, is_lasting)
            is_lasting = is_lasting and answer.status in MOVED
            address = page_address(answer.location) or address
        raise FetchFailed(f"{address} only leads to other addresses")

    async def _crawl(
        self, context: PipelineContext, start: _Start, origin: str
    ) -> AsyncIterator[Emission | None]:
        pages, frontier = self._pages(context, start, origin), self._frontier(start)
        seen: set[str] = set()
        is_complete = True
        while (visit := frontier.next()) is not None:
            yield None  # Many pages in a row may have nothing to emit.
            if len(seen) >= self._config.max_pages:
                is_complete = False
                break
            if not start.robots.allows(visit.address):
                continue
            try:
                page = await pages.get(visit.address)
                links = await self._links(page)
            except Unavailable:
                raise
            except FactflowError as error:
                is_complete = False
                yield _failed(origin, visit.address, error.message)
                continue
            self._extend(frontier, visit, page, links)
            if self._is_wanted(page, links):
                seen.add(document_id(origin, page.address))
                yield _found(origin, page)
            elif page.status >= 400 and page.status not in GONE:
                is_complete = False
                yield _failed(origin, page.address, f"the site answered {page.status}")
        _log.info("crawled %s: %d pages%s", origin, len(seen), "" if is_complete else ", not all there are")
        if is_complete and start.is_lasting and frontier.room:
            async for emission in self._gone(pages, start, seen, most=frontier.room):
                yield emission

    def _pages(self, context: PipelineContext, start: _Start, origin: str) -> SitePages:
        delay = max(self._config.delay_seconds, start.robots.delay_seconds)
        return SitePages(
            storage=self._resources.storage,
            clock=self._resources.clock,
            fetch=self._fetch,
            first={start.address: start.answer},
            delay_seconds=min(delay, LONGEST_DELAY_SECONDS),
            context=context,
            origin=origin,
        )

    def _frontier(self, start: _Start) -> Frontier:
        config = self._config
        most = ADDRESSES_A_PAGE * config.max_pages
        frontier = Frontier(scope=self._scope(start), max_depth=config.max_depth, most=most)
        frontier.add(start.address, 0)
        return frontier

    def _scope(self, start: _Start) -> SiteScope:
        return SiteScope(start=start.address, exclude=self._config.exclude)

    @staticmethod
    def _extend(frontier: Frontier, visit: Visit, page: Page, links: PageLinks) -> None:
        if page.location is not None:
            # Where a page has moved to is as near as the page itself.
            frontier.add(page.location, visit.depth)
        for address in links.addresses:
            frontier.add(address, visit.depth + 1)

    def _is_wanted(self, page: Page, links: PageLinks) -> bool:
        is_readable = bool(page.key) and page.content_type in READ_AS
        return is_readable and links.is_indexed and is_match(self._config.patterns, page.address)

    async def _fetch(self, address: str) -> Fetched:
        config = self._config
        return await self._resources.fetcher.fetch(
            address, max_bytes=config.max_page_bytes, timeout_seconds=config.timeout_seconds
        )

    async def _links(self, page: Page) -> PageLinks:
        if READ_AS.get(page.content_type) not in {".html", ".xhtml"}:
            return PageLinks()
        return await asyncio.to_thread(links_of, page.content, page.address)

    async def _gone(
        self, pages: SitePages, start: _Start, seen: set[str], *, most: int
    ) -> AsyncIterator[Emission | None]:
        origin, asked = pages.origin, 0
        for id_ in _in_another_order(await self._documents.ids(origin), pages.context):
            yield None
            address = None if id_ in seen else await self._address_of(id_, start)
            if address is None:
                continue
            if asked == most:
                _log.info("crawled %s: not asked after all documents that it did not come by", origin)
                return
            asked += 1
            if await self._is_gone(address, pages):
                yield Emission(
                    payload={"document_id": id_, "origin": origin, "removed": True},
                    metadata={"origin": origin, "document_id": id_},
                    key=f"{id_}:removed",
                )

    async def _address_of(self, id_: str, start: _Start) -> str | None:
        """Where a document is, None when it is not this crawl's to ask after."""
        try:
            address = page_address((await self._documents.current(id_)).url)
        except Unavailable:
            raise
        except FactflowError:
            return None
        return address if address is not None and self._is_ours(address, start) else None

    async def _is_gone(self, address: str, pages: SitePages) -> bool:
        """Whether the site says so: a page that this crawl did not come by may be another one's, or be too far away."""
        try:
            page = await pages.look(address)
            is_moved = page.status in MOVED and page.location is not None
            return page.status in GONE or is_moved or not (await self._links(page)).is_indexed
        except Unavailable:
            raise
        except FactflowError:
            return False

    def _is_ours(self, address: str, start: _Start) -> bool:
        is_visited = self._scope(start).visits(address) and start.robots.allows(address)
        return is_visited and is_match(self._config.patterns, address)


def _in_another_order(ids: Iterable[str], context: PipelineContext) -> Sequence[str]:
    """The same for each attempt, and another for each crawl, so that over time all are asked after."""
    return sorted(ids, key=lambda one: derived_id("asked after", str(context.message_id), one))


def _found(origin: str, page: Page) -> Emission:
    id_ = document_id(origin, page.address)
    payload: JsonObject = {
        "document_id": id_,
        "origin": origin,
        "object_key": page.key,
        "name": page.address,
        "read_as": READ_AS[page.content_type],
        "size": len(page.content),
    }
    metadata = {"origin": origin, "url": page.address, "document_id": id_}
    return Emission(payload=payload, metadata=metadata, key=f"{id_}:{page.content_type}")


def _failed(origin: str, address: str, problem: str) -> Emission:
    """A page that is there and cannot be had: its message goes dead with the reason, and what the index has of it stays."""
    id_ = document_id(origin, address)
    payload: JsonObject = {
        "document_id": id_,
        "origin": origin,
        "name": address,
        "problem": problem,
    }
    metadata = {"origin": origin, "url": address, "document_id": id_}
    return Emission(payload=payload, metadata=metadata, key=f"{id_}:{problem}")


def registration(resources: Resources) -> Registration:
    """How YAML names it and how it is built."""

    def build(config: WebCrawlerConfig) -> WebCrawler:
        return WebCrawler(config, resources)

    return Registration(
        type="web_crawler",
        description="Visits the pages of a website within its host, and emits a message for each.",
        version="2",
        config=WebCrawlerConfig,
        build=build,
        example=AdapterExample(
            payload={"url": "https://example.org/"}, then=("document_reader", "markdown_storage_writer")
        ),
    )
