"""What payloads weigh in memory, as far as that can be told without encoding them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.message import Message

BESIDE_TEXT = 16
"""Characters that everything else than a text is taken for: a number, a key, what stands around a value."""


def weight_of(message: Message) -> int:
    """Of a message's payload, in characters of JSON: exactly when its text is at hand, else about."""
    return message.encoded.size if message.encoded else characters_of(message.payload)


def born_weight(children: Sequence[Message]) -> int:
    """Of the payloads of messages that are about to be born."""
    return sum(map(weight_of, children))


def characters_of(value: object) -> int:
    """About how many characters of JSON a value has: those of its texts, and 16 for everything else."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return BESIDE_TEXT * len(value) + sum(map(characters_of, value.values()))
    if isinstance(value, list | tuple) and value:
        # Vectors are long and all of one kind.
        is_vector = isinstance(value[0], int | float)
        return BESIDE_TEXT * len(value) if is_vector else sum(map(characters_of, value))
    return BESIDE_TEXT
