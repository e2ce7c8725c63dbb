"""Why an answer ends where it does."""

from __future__ import annotations

from enum import Enum


class FinishReason(Enum):
    """Whether an answer is whole, was cut off at its number of tokens, or was withheld by its server's filter."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


def finish_reason(told: str | None) -> FinishReason | None:
    """What a language model's server means; None when it says nothing, and ``STOP`` for what cuts nothing off.

    Some servers say nothing with an empty text.
    """
    if not told:
        return None
    return _MEANT.get(told, FinishReason.STOP)


def told_first(before: FinishReason, after: FinishReason) -> FinishReason:
    """Which of two reasons of one stream holds: the first that is not ``STOP``, which some servers send behind it."""
    return after if before is FinishReason.STOP else before


_MEANT = {reason.value: reason for reason in FinishReason}
