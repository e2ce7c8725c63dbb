"""The word pieces that all-MiniLM-L6-v2 reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from adapters.models.errors import translating
from adapters.models.package import installed_package
from adapters.models.word_pieces import WordPieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MODEL_LIMIT = 256
SPECIAL_TOKENS = 2
CLASSIFIER_ID = 101
SEPARATOR_ID = 102
_MAX_CHARACTERS = 50_000
"""More of a text is not even split when only its first 256 tokens are read."""


class MiniLmTokenizer:
    """Splits text as the model does; its definition is read at the first use."""

    def __init__(self) -> None:
        self._loaded: WordPieces | None = None
        self._lock = Lock()

    @property
    def limit(self) -> int:
        """254: the model reads 256 tokens, two of which are its own."""
        return MODEL_LIMIT - SPECIAL_TOKENS

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """The character range of every token; the whole text, however long."""
        with translating("splitting a text into tokens"):
            return self.load().offsets(_encodable(text))

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids the model is given for each text: with special tokens, cut to 256."""
        with translating("splitting texts into tokens"):
            pieces = self.load()
            return [
                [CLASSIFIER_ID, *pieces.ids(_encodable(text[:_MAX_CHARACTERS]), self.limit), SEPARATOR_ID]
                for text in texts
            ]

    def load(self) -> WordPieces:
        """Read the definition unless that is done. Blocks for some 50 ms the first time."""
        with self._lock:
            if self._loaded is None:
                from tokenizers import Tokenizer  # noqa: PLC0415 - no module does work when imported

                tokenizer = Tokenizer.from_file(str(installed_package().tokenizer))
                # Padding is on in the file; averaged in, it would spoil every vector.
                tokenizer.no_padding()
                tokenizer.no_truncation()
                special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
                vocabulary = tokenizer.get_vocab(with_added_tokens=False)
                self._loaded = WordPieces(partial(_split, tokenizer), special, vocabulary)
            return self._loaded


def _split(tokenizer: Tokenizer, word: str) -> tuple[Sequence[int], Sequence[tuple[int, int]]]:
    encoding = tokenizer.encode(word, add_special_tokens=False)
    return encoding.ids, encoding.offsets


def _encodable(text: str) -> str:
    """The text with each lone surrogate replaced by one character, so that offsets stay right."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
