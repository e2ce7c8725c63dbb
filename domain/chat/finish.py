"""Why an answer ends where it does."""

from __future__ import annotations

from enum import Enum


class FinishReason(Enum):
    """Whether an answer is whole, was cut off at its number of tokens, or was withheld by its server's filter."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


def finish_reason(told: str | None) -> FinishReason | None:
    """What a language model's server means; None when it says nothing, and ``STOP`` for what cuts nothing off."""
    if told is None:
        return None
    return _MEANT.get(told, FinishReason.STOP)


_MEANT = {reason.value: reason for reason in FinishReason}
