"""Packs the blocks of one section into stretches of about equal size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.segmentation.blocks import Block, Kind
from domain.segmentation.cutting import cut
from domain.segmentation.token_counts import TokenCounts

# What has no more than this share of the limit is a crumb.
_CRUMB_SHARE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """In tokens: what a stretch may have, and above what even code and tables are cut."""

    most: int
    hard: int


def pack(
    text: str, counts: TokenCounts, blocks: Sequence[Block], limits: Limits
) -> Iterator[tuple[int, int]]:
    """Stretches ``[start, end)`` that hold every block but a heading that fits nowhere.

    A stretch ends where the next piece would not fit, or where it is nearer to an equal share than it would be with
    that piece. A stretch never consists of a heading alone.
    """
    pieces = list(_pieces(text, counts, blocks, limits))
    total_end = pieces[-1][1]
    start, end = pieces[0]
    is_heading = blocks[0].kind is Kind.HEADING and end == blocks[0].end
    for next_start, next_end in pieces[1:]:
        size = counts.count(start, end)
        grown = counts.count(start, next_end)
        if is_heading and (grown <= limits.most or size == 0):
            end, is_heading = next_end, False
            continue
        aim = _equal_share(counts.count(start, total_end), limits.most)
        if grown <= limits.most and abs(grown - aim) <= abs(aim - size):
            end = next_end
            continue
        if not is_heading:
            yield start, end
        start, end, is_heading = next_start, next_end, False
    if not is_heading:
        yield start, end


def _equal_share(tokens: int, most: int) -> float:
    return tokens / max(-(-tokens // most), 1)


def _pieces(
    text: str, counts: TokenCounts, blocks: Sequence[Block], limits: Limits
) -> Iterator[tuple[int, int]]:
    """The blocks, those too large in pieces; a crumb before a block with which it does not fit is cut with it."""
    for block in _with_crumbs_joined(counts, blocks, limits.most):
        tokens = counts.count(block.start, block.end)
        is_whole = tokens <= (limits.hard if block.kind.is_atomic else limits.most)
        if is_whole or block.kind is Kind.HEADING:
            yield block.start, block.end
        else:
            yield from cut(text, counts, block, limits.most)


def _with_crumbs_joined(counts: TokenCounts, blocks: Sequence[Block], most: int) -> Iterator[Block]:
    crumb: Block | None = None
    for block in blocks:
        size = counts.count(block.start, block.end)
        # Code that is too large by itself loses nothing by the sentence that leads to it, and says more.
        is_joinable = size > most or not block.kind.is_atomic
        if crumb is not None and is_joinable and counts.count(crumb.start, block.end) > most:
            yield Block(block.kind if block.kind.is_atomic else Kind.TEXT, crumb.start, block.end)
            crumb = None
            continue
        if crumb is not None:
            yield crumb
        crumb = block if size <= most // _CRUMB_SHARE and not block.kind.is_atomic else None
        if crumb is None:
            yield block
    if crumb is not None:
        yield crumb
