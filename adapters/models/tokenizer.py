"""The word pieces that all-MiniLM-L6-v2 reads."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from adapters.models.errors import translating
from adapters.models.package import installed_package

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MODEL_LIMIT = 256
SPECIAL_TOKENS = 2
SEPARATOR_ID = 102
_MAX_CHARACTERS = 50_000
"""More of a text is not even split when only its first 256 tokens are read."""


class MiniLmTokenizer:
    """Splits text as the model does; its definition is read at the first use."""

    def __init__(self) -> None:
        self._loaded: Tokenizer | None = None
        self._lock = Lock()

    @property
    def limit(self) -> int:
        """254: the model reads 256 tokens, two of which are its own."""
        return MODEL_LIMIT - SPECIAL_TOKENS

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """The character range of every token; the whole text, however long."""
        with translating("splitting a text into tokens"):
            encoding = self.load().encode(_encodable(text), add_special_tokens=False)
            return list(encoding.offsets)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids the model is given for each text: with special tokens, cut to 256."""
        shortened = [_encodable(text[:_MAX_CHARACTERS]) for text in texts]
        with translating("splitting texts into tokens"):
            encodings = self.load().encode_batch_fast(shortened)
        return [_cut(encoding.ids) for encoding in encodings]

    def load(self) -> Tokenizer:
        """Read the definition unless that is done. Blocks for some 50 ms the first time."""
        with self._lock:
            if self._loaded is None:
                from tokenizers import Tokenizer  # noqa: PLC0415 - no module does work when imported

                tokenizer = Tokenizer.from_file(str(installed_package().tokenizer))
                # Padding is on in the file; averaged in, it would spoil every vector.
                tokenizer.no_padding()
                tokenizer.no_truncation()
                self._loaded = tokenizer
            return self._loaded


def _cut(ids: list[int]) -> list[int]:
    return ids if len(ids) <= MODEL_LIMIT else [*ids[: MODEL_LIMIT - 1], SEPARATOR_ID]


def _encodable(text: str) -> str:
    """The text with each lone surrogate replaced by one character, so that offsets stay right."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
