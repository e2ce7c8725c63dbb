"""From Markdown to segments.

A section that fits with all beneath it is one stretch; one that does not is divided into its own text and its
subsections. Tiny neighbours under the same heading share a stretch. So a short document is a single segment, and a
segment never goes on past a heading of its own level or above unless what stands there is tiny.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.document import ReadDocument, Segment
from domain.segmentation.blocks import Block, Kind, blocks
from domain.segmentation.cutting import cut
from domain.segmentation.packing import Limits, pack
from domain.segmentation.sections import Section, common_path, end_of, sections
from domain.segmentation.token_counts import Offsets, TokenCounts

# Part of a document's fingerprint: raise it when the same text comes out in other segments.
SEGMENTATION_VERSION = "1"
# Code and tables stay whole up to so many times the limit.
HARD_LIMIT_FACTOR = 4
# Sections below this share of the limit join their neighbours.
_TINY_SHARE = 4
# Headings above a segment may take up this share of the limit at most.
_HEADINGS_SHARE = 4
# In these formats an indented line is not code.
_WITHOUT_INDENTED_CODE = frozenset({"text", "pdf", "html", "docx"})


class _Stretch(NamedTuple):
    start: int
    end: int
    path: tuple[str, ...]


class _Group(NamedTuple):
    """Whole sections ``[first, until)`` that fit in one stretch together."""

    first: int
    until: int


def segments(
    read: ReadDocument, offsets: Offsets, *, max_tokens: int, overlap_tokens: int = 0
) -> Sequence[Segment]:
    """The segments of a document, in order.

    ``offsets`` gives the character range of every token of a text. A document that has at most ``max_tokens`` is one
    segment. Otherwise a segment has at most so many together with the title and the headings above it, unless it is one table or code block: these are cut at line ends above four times the limit.
    With ``overlap_tokens`` a segment in the midst of a section repeats so many tokens of the one before.
    Takes time and memory in proportion to the text. Raises ValueError for limits that cannot be.
    """
    if max_tokens < 1 or not 0 <= overlap_tokens <= max_tokens // 2:
        raise ValueError("max_tokens is at least 1, and overlap_tokens between 0 and half of it")
    segmenting = _Segmenting(read, offsets, max_tokens, overlap_tokens)
    stretches = list(segmenting.stretches()) or list(segmenting.headings_only())
    return tuple(segmenting.segment(ordinal, stretch) for ordinal, stretch in enumerate(stretches))


class _Segmenting:
    """One document on its way into segments."""

    def __init__(self, read: ReadDocument, offsets: Offsets, max_tokens: int, overlap_tokens: int) -> None:
        self._text = read.markdown
        self._title = read.title or ""
        self._offsets = offsets
        self._page_starts = read.page_starts
        self._max_tokens = max_tokens
        self._overlap_tokens = overlap_tokens
        self._counts = TokenCounts(read.markdown, offsets)
        indented_code = read.metadata.get("format") not in _WITHOUT_INDENTED_CODE
        self._sections = sections(read.markdown, blocks(read.markdown, indented_code=indented_code))

    def stretches(self) -> Iterator[_Stretch]:
        """The stretches of the text that become segments."""
        for item in self._items():
            if isinstance(item, _Stretch):
                yield item
            elif any(section.body for section in self._sections[item.first : item.until]):
                start, end = self._extent(item)
                yield _Stretch(start, end, common_path(self._sections[item.first : item.until]))

    def _items(self) -> list[_Stretch | _Group]:
        whole = _Group(0, len(self._sections))
        return [whole] if self._fits(whole, 0) else self._divided(*whole, above=self._title_tokens())

    def _title_tokens(self) -> int:
        """The title stands above every segment, unless it is a heading of the text itself."""
        if any(self._title in section.path for section in self._sections[:2]):
            return 0
        return len(self._offsets(self._title))

    def headings_only(self) -> Iterator[_Stretch]:
        """A text of nothing but headings, cut like a paragraph."""
        leading = len(self._text) - len(self._text.lstrip())
        whole = Block(Kind.TEXT, leading, max(len(self._text.rstrip()), leading))
        for start, end in cut(self._text, self._counts, whole, self._max_tokens):
            yield _Stretch(start, end, ())

    def segment(self, ordinal: int, stretch: _Stretch) -> Segment:
        """The segment of a stretch."""
        text = self._text[stretch.start : stretch.end].rstrip()
        end = stretch.start + len(text)
        return Segment(
            ordinal=ordinal,
            text=text,
            start=stretch.start,
            end=end,
            heading_path=stretch.path,
            page=max(bisect_right(self._page_starts, stretch.start), 1) if self._page_starts else None,
            tokens=self._counts.count(stretch.start, end),
        )

    def _divided(self, first: int, until: int, above: int) -> list[_Stretch | _Group]:
        """A section with all beneath it, as one group if it fits, else in parts; ``above``: tokens of headings above."""
        whole = _Group(first, until)
        if self._fits(whole, above):
            return [whole]
        section = self._sections[first]
        parts: list[_Stretch | _Group] = []
        if section.blocks:
            own = _Group(first, first + 1)
            parts = [own] if self._fits(own, above) else [*self._packed(section, above)]
        if section.heading is not None:
            above += self._counts.count(section.heading.start, section.heading.end)
        child = first + 1
        while child < until:
            end = end_of(self._sections, child, until)
            parts.extend(self._divided(child, end, above))
            child = end
        return self._merged(parts, above)

    def _merged(self, parts: list[_Stretch | _Group], above: int) -> list[_Stretch | _Group]:
        merged: list[_Stretch | _Group] = []
        for part in parts:
            before = merged[-1] if merged else None
            if isinstance(part, _Group) and isinstance(before, _Group):
                both = _Group(before.first, part.until)
                if (self._is_tiny(before) or self._is_tiny(part)) and self._fits(both, above):
                    merged[-1] = both
                    continue
            merged.append(part)
        return merged

    def _packed(self, section: Section, above: int) -> Iterator[_Stretch]:
        """A section's own text, larger than the limit, in stretches; what repeats of the one before is added."""
        most = self._budget(above) - self._overlap_tokens
        limits = Limits(most=most, hard=self._max_tokens * HARD_LIMIT_FACTOR)
        least = None
        for start, end in pack(self._text, self._counts, section.blocks, limits):
            begin = start if least is None else max(self._overlapping(start), least)
            yield _Stretch(begin, end, section.path)
            least = start + 1

    def _overlapping(self, start: int) -> int:
        """Where a segment begins that repeats some of the text before ``start``: at the beginning of a word."""
        begin = self._counts.before(start, self._overlap_tokens)
        while 0 < begin < start and not self._text[begin - 1].isspace():
            begin += 1
        return begin

    def _fits(self, group: _Group, above: int) -> bool:
        extent = self._extent(group)
        return self._counts.count(*extent) <= self._budget(above)

    def _is_tiny(self, group: _Group) -> bool:
        return self._counts.count(*self._extent(group)) <= self._max_tokens // _TINY_SHARE

    def _budget(self, above: int) -> int:
        return self._max_tokens - min(above, self._max_tokens // _HEADINGS_SHARE)

    def _extent(self, group: _Group) -> tuple[int, int]:
        """From the first block of the sections to the last; empty when they have none."""
        first = next((s for s in self._sections[group.first : group.until] if s.blocks), None)
        last = self._sections[group.until - 1]
        if first is None:
            return 0, 0
        return first.blocks[0].start, (last.blocks or first.blocks)[-1].end
