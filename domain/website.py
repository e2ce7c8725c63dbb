"""Which addresses are pages of a site, and which of them a crawl is to visit."""

from __future__ import annotations

import fnmatch
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from domain.outbound import MAX_URL_CHARACTERS

_PORTS = {"http": 80, "https": 443}
_SAFE = "/%:=&?~#+!$,;'@()*[]"


def page_address(url: str, base: str = "") -> str | None:
    """An address in the one form in which a page is known, without fragment; None for what is no page's address.

    Nor is one that is longer than what is ever asked for, with either scheme: http and https of a host are one page.
    ``base`` is the address of the page that has the link.
    """
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
        host = host.encode("idna").decode() if not host.isascii() else host
    except (ValueError, UnicodeError):
        return None
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        return None
    name = f"[{host}]" if ":" in host else host
    place = name if port in {None, _PORTS[scheme]} else f"{name}:{port}"
    path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE)
    address = urlunsplit((scheme, place, path, query, ""))
    longest = MAX_URL_CHARACTERS - len("https") + len(scheme)
    return address if len(address) <= longest else None


def place_of(address: str) -> str:
    """The host of an address, with the port unless it is the scheme's own."""
    return urlsplit(address).netloc


def is_match(patterns: Sequence[str], address: str) -> bool:
    """Whether one of the globs fits the path and query of an address, ``*`` spanning slashes; none fits everything."""
    return not patterns or _matches(patterns, address)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteScope:
    """The pages of the host of ``start``, without those that ``exclude`` names by globs over path and query."""

    start: str
    exclude: Sequence[str] = ()

    def visits(self, address: str) -> bool:
        """Whether an address belongs to the site and is not excluded."""
        return place_of(address) == place_of(self.start) and not _matches(self.exclude, address)

    def named(self, address: str) -> str:
        """The address with the scheme of the start: http and https of one host are one page."""
        return self.start.partition("://")[0] + "://" + address.partition("://")[2]


class Visit(NamedTuple):
    """An address to go to, and how many links it is away from the first."""

    address: str
    depth: int


@dataclass(slots=True, kw_only=True)
class Frontier:
    """The addresses that a crawl has yet to visit, the nearest first, each once, and ``most`` of them in all."""

    scope: SiteScope
    max_depth: int
    most: int
    _waiting: deque[Visit] = field(default_factory=deque)
    _seen: set[str] = field(default_factory=set)

    def add(self, address: str, depth: int) -> None:
        """An address that was found; one of elsewhere, too far away or known already is passed over."""
        if depth > self.max_depth or not self.scope.visits(address):
            return
        named = self.scope.named(address)
        if named not in self._seen and self.room:
            self._seen.add(named)
            self._waiting.append(Visit(named, depth))

    @property
    def room(self) -> int:
        """How many more addresses may be met; at 0 some may have been passed over."""
        return self.most - len(self._seen)

    def next(self) -> Visit | None:
        """The next one, None when nothing is left."""
        return self._waiting.popleft() if self._waiting else None


def _matches(patterns: Sequence[str], address: str) -> bool:
    parts = urlsplit(address)
    text = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return any(re.match(fnmatch.translate(pattern), text) for pattern in patterns)
