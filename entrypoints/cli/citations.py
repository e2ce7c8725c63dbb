"""Where matches and citations point: document, heading, page, characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Pointer = Mapping[str, Any]


def place_of(pointer: Pointer) -> str:
    """`Title > Heading (address), page 3, characters 120-480`, as far as it is told."""
    return ", ".join([section_of(pointer), *([characters] if (characters := _characters([pointer])) else [])])


def citation_lines(citations: Sequence[Pointer]) -> list[str]:
    """`[1] Title > Heading (address), characters 120-180 and 240-300`: a line for each number, in order."""
    by_number: dict[object, list[Pointer]] = {}
    for citation in citations:
        by_number.setdefault(citation.get("number"), []).append(citation)
    numbers = sorted(
        by_number, key=lambda number: (not isinstance(number, int), number if isinstance(number, int) else 0)
    )
    return [f"[{number}] {_gathered(by_number[number])}" for number in numbers]


def section_of(pointer: Pointer) -> str:
    """The document and the headings, with the page where there are pages."""
    title, url = str(pointer.get("title") or ""), str(pointer.get("url") or "")
    name = (
        title or url or str(pointer.get("document_id") or pointer.get("storage_key") or "an unnamed document")
    )
    path = pointer.get("heading_path")
    headings = [str(heading) for heading in path] if isinstance(path, list) else []
    section = " > ".join([name, *(headings[1:] if headings[:1] == [name] else headings)])
    section += f" ({url})" if url and url != name else ""
    return section if pointer.get("page") is None else f"{section}, page {pointer['page']}"


def _gathered(citations: Sequence[Pointer]) -> str:
    characters = _characters(citations)
    return section_of(citations[0]) + (f", {characters}" if characters else "")


def _characters(pointers: Sequence[Pointer]) -> str:
    spans = dict.fromkeys((one.get("start"), one.get("end")) for one in pointers)
    told = [f"{start}-{end}" for start, end in spans if start is not None and end is not None]
    return "characters " + " and ".join(told) if told else ""
