"""Asks web servers for pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from domain.errors import FactflowError


class FetchFailed(FactflowError):
    """The web server gave no answer that can be used."""

    code = "fetch_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer. ``content_type`` is in small letters, without parameters; ``location`` is where a redirect leads, absolute.

    ``is_truncated`` says that there was more than was asked for, and ``content`` is its beginning.
    """

    status: int
    content_type: str = ""
    content: bytes = b""
    location: str | None = None
    is_truncated: bool = False


class Fetcher(Protocol):
    """Goes to public addresses only, and to networks that an operator allows. Safe for many requests at a time."""

    def examine(self, url: str) -> None:
        """Raise InvalidUrl, DestinationRefused for an address that is never fetched; nobody is asked."""
        ...

    async def fetch(self, url: str, *, max_bytes: int, timeout_seconds: float) -> Fetched:
        """GET an address. Every status is an answer, and a redirect is told and not followed.

        Raises InvalidUrl, DestinationRefused (where the name leads too), FetchFailed.
        """
        ...
