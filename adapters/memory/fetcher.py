"""A web that is a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from application.ports.fetcher import Fetched, FetchFailed
from domain.outbound import OutboundPolicy, destination


class MemoryFetcher:
    """The ``Fetcher`` port over answers by address: others are a 404, and None is no answer at all.

    ``asked`` are the addresses that were fetched, in order.
    """

    def __init__(
        self, pages: Mapping[str, Fetched | None] | None = None, policy: OutboundPolicy | None = None
    ) -> None:
        self.pages = dict(pages or {})
        self.asked: list[str] = []
        self._policy = policy or OutboundPolicy(is_http_allowed=True)

    def examine(self, url: str) -> None:
        """See the port."""
        destination(url, self._policy)

    async def fetch(self, url: str, *, max_bytes: int, timeout_seconds: float) -> Fetched:
        """See the port."""
        self.examine(url)
        self.asked.append(url)
        page = self.pages.get(url, Fetched(status=404))
        if page is None:
            raise FetchFailed(f"{url}: no answer within {timeout_seconds:g} seconds")
        if len(page.content) <= max_bytes:
            return page
        return replace(page, content=page.content[:max_bytes], is_truncated=True)
