"""Byte ranges and entity tags, as RFC 9110 has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapters.http.errors import MalformedRequest, RangeNotSatisfiable

_SINGLE = re.compile(r"bytes\s*=\s*(?P<first>\d{0,18})\s*-\s*(?P<last>\d{0,18})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return self.end - self.start


def byte_range(header: str | None, size: int) -> ByteRange | None:
    """The range asked for, or None for the whole object; raises RangeNotSatisfiable.

    What is not one range of bytes (several, another unit, nonsense) asks for the whole, as section 14.2 allows.
    """
    match = _SINGLE.fullmatch(header.strip()) if header else None
    if match is None or not (match["first"] or match["last"]):
        return None
    if not match["first"]:
        start, end = max(0, size - int(match["last"])), size
    else:
        start = int(match["first"])
        end = min(size, int(match["last"]) + 1) if match["last"] else size
        if match["last"] and int(match["last"]) < start:
            return None
    if start >= end:
        raise RangeNotSatisfiable(size=size)
    return ByteRange(start, end)


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether a list as in `If-None-Match` or `If-Match` names the tag; the weak comparison of section 8.8.3.2."""
    if header is None:
        return False
    names = {name.strip().removeprefix("W/") for name in header.split(",")}
    return "*" in names or etag in names


def expected_version(if_match: str | None) -> int | None:
    """The version that `If-Match: "3"` demands, None without one or for `*`; raises MalformedRequest."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = re.fullmatch(r"\s*\"(\d{1,9})(?:-inactive)?\"\s*", if_match, re.ASCII)
    if match is None:
        raise MalformedRequest('If-Match must be the ETag of one version, as in "3"')
    return int(match[1])
