"""The settings of embedding slots and of the reranker, which are part of the server's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from entrypoints.chat_settings import ChatSettings
from entrypoints.setting_values import NAME, SECRET, Kind, about, address, number, one_of, shared

if TYPE_CHECKING:
    from entrypoints.embedding_slot import EmbeddingSlot

BUILT_IN = "minilm"
"""The slot of the model that comes with the server."""

MOST_SLOTS = 9

_ADDRESS = address("http", "https")


def _read_slots(text: str) -> Sequence[EmbeddingSlot]:
    # Only here: whoever asks for help waits for no parser of JSON.
    from entrypoints.embedding_slot import read_slots

    return read_slots(text)


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
        metadata=shared(
            _SLOTS,
            "Further embedding slots, their models at OpenAI-compatible endpoints.",
            shown="none",
            is_secret=True,
        ),
    )
    embedding_model: str = field(
        default=BUILT_IN,
        metadata=shared(
            NAME,
            "The embedding slot that searches and pipelines mean which name none.",
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
