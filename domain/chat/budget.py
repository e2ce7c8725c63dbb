"""What of sources and earlier turns fits in a number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from domain.chat.answer import Source
from domain.chat.prompt import cut_to, quotation
from domain.chat.request import Turn

HISTORY_SHARE = 4
"""The earlier turns may take one part in so many of the tokens."""

LEAST_SOURCE_TOKENS = 50
"""Less of a source's text is not worth showing."""

LONGEST_KNOWN = 18
"""A longer token is a word that the tokenizer does not know: no vocabulary holds one of so many characters."""

UNKNOWN_CHARACTERS = 3
"""Language models take a token for about so many characters of such a word."""

GAP_CHARACTERS = 16
"""And for so many of what the tokenizer passes over, such as white space."""

Offsets: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
"""Where each token of a text stands, as of ``Tokenizer.offsets``."""

_Made = TypeVar("_Made")


def token_starts(text: str, offsets: Offsets) -> Sequence[int]:
    """Where each token begins; unknown words and long gaps count by their length, not as one and none."""
    starts: list[int] = []
    after = 0
    for start, end in (*offsets(text), (len(text), len(text))):
        starts.extend(range(after + GAP_CHARACTERS, start, GAP_CHARACTERS))
        if end > start:
            starts.extend(
                range(start, end, UNKNOWN_CHARACTERS if end - start > LONGEST_KNOWN else end - start)
            )
        after = max(after, end)
    return starts


def tokens_of(text: str, offsets: Offsets) -> int:
    """How many tokens a language model may take for a text."""
    return len(token_starts(text, offsets))


def cost_of(source: Source, offsets: Offsets) -> int:
    """The tokens of a source as it is quoted: its number, title and headings with it."""
    return tokens_of(quotation(source), offsets)


def frame_of(source: Source, offsets: Offsets) -> int:
    """The tokens that quoting a source takes beside its text."""
    return cost_of(replace(source, text=""), offsets)


def within_budget(sources: Sequence[Source], tokens: int, offsets: Offsets) -> Sequence[Source]:
    """As many sources, best first, as fit; the last of them cut at a paragraph if a good part of it fits.

    Numbers stay as they are.
    """
    kept: list[Source] = []
    for source in sources:
        cost = cost_of(source, offsets)
        if cost > tokens:
            is_worth_it = tokens - frame_of(source, offsets) >= LEAST_SOURCE_TOKENS
            cut = _cut(source, tokens, offsets) if is_worth_it else None
            return [*kept, cut] if cut else kept
        kept.append(source)
        tokens -= cost
    return kept


def shared_budget(sources: Sequence[Source], tokens: int, offsets: Offsets) -> Sequence[Source]:
    """Every source, each cut to a fair share; what short ones leave over goes to the long ones.

    Of more than there is room for the first are kept.
    """
    costs = {source.number: cost_of(source, offsets) for source in sources}
    least: dict[int, int] = {}
    for source in sources:
        needed = min(costs[source.number], frame_of(source, offsets) + LEAST_SOURCE_TOKENS)
        if needed > tokens:
            break
        least[source.number] = needed
        tokens -= needed
    shares = dict(least)
    wanting = sorted(least, key=lambda number: costs[number] - least[number])
    for position, number in enumerate(wanting):
        more = min(tokens // (len(wanting) - position), costs[number] - least[number])
        shares[number] += more
        tokens -= more
    kept = [source for source in sources if source.number in shares]
    shown = [
        source
        if costs[source.number] == shares[source.number]
        else _cut(source, shares[source.number], offsets)
        for source in kept
    ]
    return [source for source in shown if source is not None]


def beginning(source: Source, offsets: Offsets) -> Source:
    """The little of a source that is shown even where its title and headings take all the room there is."""
    most = frame_of(source, offsets) + LEAST_SOURCE_TOKENS
    return source if cost_of(source, offsets) <= most else _cut(source, most, offsets) or source


def recent(history: Sequence[Turn], tokens: int, offsets: Offsets) -> Sequence[Turn]:
    """The latest turns that fit, in order; the very latest is cut when it does not."""
    kept: list[Turn] = []
    for turn in reversed(history):
        cost = tokens_of(turn.content, offsets)
        if cost > tokens:
            cut = None if kept else _cut_turn(turn, tokens, offsets)
            return [cut] if cut else kept[::-1]
        kept.append(turn)
        tokens -= cost
    return kept[::-1]


def _cut(source: Source, tokens: int, offsets: Offsets) -> Source | None:
    room = tokens - (frame := frame_of(source, offsets))
    return _longest(
        token_starts(source.text, offsets),
        room,
        lambda characters: cut_to(source, characters),
        lambda cut: cost_of(cut, offsets) - frame,
    )


def _cut_turn(turn: Turn, tokens: int, offsets: Offsets) -> Turn | None:
    return _longest(
        token_starts(turn.content, offsets),
        tokens,
        lambda characters: replace(turn, content=f"{turn.content[:characters].rstrip()} …"),
        lambda cut: tokens_of(cut.content, offsets),
    )


def _longest(
    starts: Sequence[int], tokens: int, cut: Callable[[int], _Made], cost: Callable[[_Made], int]
) -> _Made | None:
    """The longest cut that is found to cost so many tokens at most; what is cut off may be counted otherwise."""
    most = min(tokens, len(starts) - 1)
    while most > 0:
        made = cut(starts[most])
        spent = cost(made)
        if spent <= tokens:
            return made
        most = min(most - 1, most * tokens // spent)
    return None
