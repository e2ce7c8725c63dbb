"""Finds what a web page links to, and what it asks robots to do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser

from domain.website import page_address

MOST_LINKS = 10_000
MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """``addresses`` in the order of the page; ``is_indexed`` is False when the page asks not to be taken in."""

    addresses: Sequence[str] = ()
    is_indexed: bool = True


def links_of(content: bytes, address: str) -> PageLinks:
    """The links of an HTML page at that address; runs on the calling thread."""
    finder = _Finder(address)
    # Addresses are ASCII, so whatever the page's encoding is, they read the same. What Python refuses to read, such
    # as a number of ten thousand digits, ends the page here.
    with suppress(ValueError):
        finder.feed(content[:MOST_BYTES].decode("utf-8", "replace"))
    addresses = () if finder.is_closed else tuple(finder.found)
    return PageLinks(addresses=addresses, is_indexed=finder.is_indexed)


class _Finder(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self._base = address
        self.found: dict[str, None] = {}
        self.is_indexed = True
        self.is_closed = False

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # noqa: ARG002, FBT001, FBT002
        """Take ``<![…]>`` of any kind for a comment; the inherited method raises AssertionError for unknown ones."""
        return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base" and given.get("href"):
            self._base = page_address(given["href"], self._base) or self._base
        elif tag in {"a", "area"} and given.get("href"):
            self._add(given)
        elif tag == "meta" and given.get("name", "").lower() == "robots":
            asked = {one.strip() for one in given.get("content", "").lower().split(",")}
            self.is_indexed = self.is_indexed and not asked & {"noindex", "none"}
            self.is_closed = self.is_closed or bool(asked & {"nofollow", "none"})

    def _add(self, given: dict[str, str]) -> None:
        if "nofollow" in given.get("rel", "").lower().split() or len(self.found) >= MOST_LINKS:
            return
        if found := page_address(given["href"], self._base):
            self.found[found] = None
