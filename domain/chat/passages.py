"""The passages of sources around the sentences that are quoted from them, within a number of tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from domain.chat.answer import Source
from domain.chat.budget import Offsets, cost_of, frame_of, token_starts

Places: TypeAlias = Sequence[tuple[int, int]]
"""Where sentences stand in a source's text, ``[start, end)``, in order."""

_SEPARATORS = ("\n\n", ". ", " ")


def quoted_passages(
    sources: Sequence[Source], places: Mapping[int, Places], tokens: int, offsets: Offsets
) -> Sequence[Source]:
    """The sources as far as they fit, each in its fair share: whole, or cut to what surrounds its sentences.

    ``places`` are by number. Sentences too far apart for one passage get one each, under the same number; one that
    does not fit by itself is left out.
    """
    order = sorted(sources, key=lambda source: cost_of(source, offsets))
    found: dict[int, Sequence[Source]] = {}
    for position, source in enumerate(order):
        share = tokens // (len(order) - position)
        passages = _passages(source, places[source.number], share, offsets)
        tokens -= sum(cost_of(passage, offsets) for passage in passages)
        found[source.number] = passages
    return [passage for source in sources for passage in found[source.number]]


def holds(passage: Source, start: int, end: int) -> bool:
    """Whether characters of the document's Markdown are in a passage."""
    return passage.start <= start < end <= passage.start + len(passage.text)


def _passages(source: Source, places: Places, tokens: int, offsets: Offsets) -> Sequence[Source]:
    whole = _around(source, places, tokens, offsets)
    if whole is not None:
        return [whole]
    if len(places) == 1:
        return []
    apart = max(range(1, len(places)), key=lambda at: places[at][0] - places[at - 1][1])
    halves = places[:apart], places[apart:]
    return [passage for half in halves for passage in _passages(source, half, tokens // 2, offsets)]


def _around(source: Source, places: Places, tokens: int, offsets: Offsets) -> Source | None:
    """The longest stretch around all of the places that is found to fit; None when not even they do."""
    if cost_of(source, offsets) <= tokens:
        return source
    starts = token_starts(source.text, offsets)
    first, last = places[0][0], places[-1][1]
    begin, end = max(bisect_right(starts, first) - 1, 0), bisect_left(starts, last)
    spare = tokens - frame_of(source, offsets) - (end - begin)
    while spare >= 0:
        after = min(spare - min(spare // 2, begin), len(starts) - end)
        before = min(spare - after, begin)
        left = starts[begin - before] if before else first
        right = starts[end + after] if end + after < len(starts) else len(source.text)
        made = _stretch(source, (left, right if after else last), (first, last))
        spent = cost_of(made, offsets)
        if spent <= tokens:
            return made
        spare = min(spare - 1, spare * tokens // spent)
    return None


def _stretch(source: Source, widest: tuple[int, int], least: tuple[int, int]) -> Source:
    """The stretch of a source from a paragraph's, sentence's or word's beginning to such an end."""
    begin, end = widest
    text = source.text
    if begin:
        begin = _beginning(text, begin, least[0])
    if end < len(text):
        end = _ending(text, least[1], end)
    return replace(
        source,
        text=text[begin:end],
        start=source.start + begin,
        end=source.start + end,
        page=source.page_at(source.start + begin),
        is_cut=True,
    )


def _beginning(text: str, begin: int, latest: int) -> int:
    for separator in _SEPARATORS:
        at = text.find(separator, begin, begin + (latest - begin) // 2)
        if at >= 0:
            begin = at + len(separator)
            break
    while begin < latest and text[begin].isspace():
        begin += 1
    return begin


def _ending(text: str, earliest: int, end: int) -> int:
    for separator in _SEPARATORS:
        at = text.rfind(separator, earliest + (end - earliest) // 2, end)
        if at >= 0:
            end = at + len(separator)
            break
    while end > earliest and text[end - 1].isspace():
        end -= 1
    return end
