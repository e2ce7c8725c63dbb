"""A further embedding slot, as the settings have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from entrypoints.setting_values import SECRET, address

BUILT_IN = "minilm"
"""The slot of the model that comes with the server."""

MOST_SLOTS = 9

_ADDRESS = address("http", "https")


class EmbeddingSlot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A slot whose model answers at an OpenAI-compatible endpoint (``base_url``, up to and with /v1).

    ``model`` is what to ask that endpoint for, the slot's own name unless given.
    """

    model_name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")]
    base_url: str
    dimension: Annotated[int, msgspec.Meta(ge=1, le=16_000)]
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    api_key: str | None = None
    default_threshold: Annotated[float, msgspec.Meta(ge=-1, le=1)] = 0.3
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    attempts: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5
    batch: Annotated[int, msgspec.Meta(ge=1, le=2048)] = 64
    max_characters: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000

    def __post_init__(self) -> None:
        """Raise ValueError for an address or a key that cannot be used."""
        _ADDRESS.read(self.base_url)
        if self.api_key is not None:
            SECRET.read(self.api_key)
        if self.model_name == BUILT_IN:
            raise ValueError(f"{BUILT_IN} is the slot of the built-in model")


def read_slots(text: str) -> Sequence[EmbeddingSlot]:
    """The slots of a JSON text; raises ValueError for anything else."""
    try:
        slots = msgspec.json.decode(text, type=tuple[EmbeddingSlot, ...])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(text) from error
    if len(slots) > MOST_SLOTS or len({slot.model_name for slot in slots}) < len(slots):
        raise ValueError(text)
    return slots
