"""A PDF's outline (its bookmarks), used to tell which lines of its pages are headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader
from pypdf.generic import Destination

_MAX_LEVEL = 6
_MAX_ENTRIES = 20_000
_NUMBERING = re.compile(r"^[\d.]+\s+")


class Outline:
    """The entries of an outline by page (from 0) and title, with their level from 1."""

    def __init__(self) -> None:
        self._levels: dict[int, dict[str, int]] = {}

    def add(self, page: int, title: str, level: int) -> None:
        """Remember an entry; of two alike on one page the first counts."""
        key = _key(title)
        if key:
            self._levels.setdefault(page, {}).setdefault(key, min(level, _MAX_LEVEL))

    def with_headings(self, text: str, page: int) -> str:
        """A page's text in which each line that is an entry of the outline for that page is a heading."""
        wanted = dict(self._levels.get(page, {}))
        if not wanted:
            return text
        lines = []
        for line in text.split("\n"):
            level = wanted.pop(_key(line), None)
            lines.append(f"\n{'#' * level} {line.strip()}\n" if level else line)
        return "\n".join(lines).strip()


def outline_of(reader: PdfReader) -> Outline:
    """The outline of a PDF, empty where there is none or it is damaged: it is of help, not of need."""
    outline = Outline()
    try:
        for level, entry in _entries(reader):
            page = reader.get_destination_page_number(entry)
            if page is not None and entry.title:
                outline.add(page, entry.title, level)
    except Exception:  # noqa: BLE001 - pypdf raises whatever a damaged outline makes it run into
        return Outline()
    return outline


def _entries(reader: PdfReader) -> Iterator[tuple[int, Destination]]:
    waiting: list[tuple[int, Any]] = [(1, entry) for entry in reversed(reader.outline)]
    taken = 0
    while waiting and taken < _MAX_ENTRIES:
        level, entry = waiting.pop()
        if isinstance(entry, list):
            waiting.extend((level + 1, inner) for inner in reversed(entry))
        else:
            taken += 1
            yield level, entry


def _key(title: str) -> str:
    return _NUMBERING.sub("", " ".join(title.split()).casefold())
