"""The settings of embedding slots and of the reranker, which are part of the server's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from entrypoints.chat_settings import ChatSettings
from entrypoints.setting_values import NAME, SECRET, Kind, about, address, number, one_of

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


def _read_slots(text: str) -> Sequence[EmbeddingSlot]:
    try:
        slots = msgspec.json.decode(text, type=tuple[EmbeddingSlot, ...])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(text) from error
    if len(slots) > MOST_SLOTS or len({slot.model_name for slot in slots}) < len(slots):
        raise ValueError(text)
    return slots


_SLOTS = Kind(
    allowed=f"a JSON list of up to {MOST_SLOTS} slots of different names, such as "
    '[{"model_name": "large", "base_url": "https://models.example/v1", "dimension": 1024}]; '
    "each may also have model, api_key, default_threshold, timeout_seconds, attempts, batch and max_characters",
    read=_read_slots,
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EmbeddingSettings(ChatSettings):
    """Which models there are besides the built-in one; classes with slots need one line of ancestors."""

    embedding_slots: Sequence[EmbeddingSlot] = field(
        default=(),
        metadata=about(
            _SLOTS,
            "Further embedding slots, their models at OpenAI-compatible endpoints; the same for all processes.",
            shown="none",
            is_secret=True,
        ),
    )
    embedding_model: str = field(
        default=BUILT_IN,
        metadata=about(
            NAME,
            "The embedding slot that searches and pipelines mean which name none; the same for all processes.",
        ),
    )
    rerank_url: str | None = field(
        default=None,
        metadata=about(
            _ADDRESS, "A reranker, with or without /rerank at the end; unset, no search can ask for one."
        ),
    )
    rerank_dialect: str = field(
        default="cohere",
        metadata=about(one_of("cohere", "jina", "tei"), "Whose wire format the reranker speaks."),
    )
    rerank_model: str | None = field(
        default=None, metadata=about(NAME, "The model to ask the reranker for; unset, it is not named.")
    )
    rerank_api_key: str | None = field(
        default=None, metadata=about(SECRET, "The key for the reranker.", is_secret=True)
    )
    rerank_timeout_seconds: float = field(
        default=10.0, metadata=about(number(0.1, 600), "How long to wait for the reranker, in seconds.")
    )
