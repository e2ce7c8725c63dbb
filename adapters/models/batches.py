"""How token sequences are laid out for the model and made into one vector each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


def by_length(sequences: Sequence[Sequence[int]], max_tokens: int) -> Iterator[list[int]]:
    """Indices in batches: the shortest sequences first, at most ``max_tokens`` a batch with padding, at least one."""
    batch: list[int] = []
    for index in sorted(range(len(sequences)), key=lambda index: len(sequences[index])):
        # The newest is the longest, so it alone decides how wide the batch gets.
        if batch and (len(batch) + 1) * len(sequences[index]) > max_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(sequences: Sequence[Sequence[int]]) -> tuple[Integers, Integers]:
    """The sequences as one array of shape (texts, longest), filled up with 0, and their lengths."""
    lengths = np.fromiter(map(len, sequences), dtype=np.int32, count=len(sequences))
    array = np.zeros((len(sequences), int(lengths.max())), dtype=np.int32)
    for row, sequence in zip(array, sequences, strict=True):
        row[: len(sequence)] = sequence
    return array, lengths


def pooled(hidden: Floats, lengths: Integers) -> Floats:
    """The mean over each text's real tokens, scaled to unit length.

    ``hidden`` has the shape (texts, tokens, dimension). The mean's division is left out: scaling undoes it.
    """
    real = (np.arange(hidden.shape[1]) < lengths[:, None]).astype(np.float32)
    sums: Floats = np.einsum("btd,bt->bd", hidden, real)
    units: Floats = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return units
