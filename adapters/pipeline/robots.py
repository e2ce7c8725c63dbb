"""What a site asks robots to do: robots.txt, after RFC 9309."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from protego import Protego

from application.ports.fetcher import Fetcher, FetchFailed

AGENT = "factflow"
MOST_BYTES = 500 * 1024
MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules for us; ``delay_seconds`` is how long to wait between two requests, 0 when nothing is said."""

    rules: Protego

    def allows(self, address: str) -> bool:
        """Whether the page at an address may be fetched."""
        return bool(self.rules.can_fetch(address, AGENT))

    @property
    def delay_seconds(self) -> float:
        """What the site asks for."""
        return float(self.rules.crawl_delay(AGENT) or 0)


async def robots_of(address: str, fetcher: Fetcher, *, timeout_seconds: float) -> Robots:
    """The rules of the site of an address.

    A site without the file allows everything. Raises FetchFailed when it cannot tell: then nothing is allowed.
    """
    place = urljoin(address, "/robots.txt")
    answer = await fetcher.fetch(place, max_bytes=MOST_BYTES, timeout_seconds=timeout_seconds)
    for _ in range(MOST_REDIRECTS):
        if answer.location is None:
            break
        place = answer.location
        answer = await fetcher.fetch(place, max_bytes=MOST_BYTES, timeout_seconds=timeout_seconds)
    if answer.status >= 500 or answer.status == 429:
        raise FetchFailed(f"{place} answered {answer.status}, so nothing may be fetched now")
    text = answer.content.decode("utf-8-sig", "replace") if answer.status == 200 else ""
    return Robots(Protego.parse(text))
