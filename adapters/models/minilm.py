"""all-MiniLM-L6-v2 on the processor, without a network and without torch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ctranslate2
import numpy as np

from adapters.models.batches import Floats, by_length, padded, pooled
from adapters.models.cache import converted
from adapters.models.errors import translating
from adapters.models.package import installed_package
from adapters.models.tokenizer import MiniLmTokenizer
from adapters.models.worker import ModelThreads, all_done
from application.ports.readiness import ComponentHealth, Health
from domain.errors import Invalid, Unavailable
from domain.json import JsonObject

DIMENSION = 384
MAX_BATCH_TOKENS = 512
"""Tokens in one run of the model, padding counted: two full texts.

More only takes more memory and time: for 2,048 a tenth, for 4,096 two fifths more processor time on two cores."""


READY = 1
"""Runs that are handed to the model before it has finished others, so that none of its threads waits for Python."""


class MiniLmEmbeddingModel:
    """The slot ``minilm``: 384 dimensions, texts cut at 256 word pieces, mean pooling, unit length.

    ``compute_type`` is ``int8``, ``float32`` or ``auto`` (int8 where the processor can). The weights are converted
    once into a folder under ``cache``. Open it with ``async with``.
    """

    def __init__(
        self,
        cache: Path,
        *,
        compute_type: str = "auto",
        threads: int | None = None,
        tokenizer: MiniLmTokenizer | None = None,
        max_batch_tokens: int = MAX_BATCH_TOKENS,
    ) -> None:
        self._cache = cache
        self._wanted = compute_type
        self._threads = threads or usable_cores()
        self._max_batch_tokens = max_batch_tokens
        self.tokenizer = tokenizer or MiniLmTokenizer()
        self._encoder: Any = None
        self._identity = ""
        self._worker = ModelThreads("minilm", self._threads + READY)

    @property
    def model_name(self) -> str:
        """``minilm``."""
        return "minilm"

    @property
    def identity(self) -> str:
        """The model, the start of its weights' SHA-256 and the arithmetic; known once it is open."""
        self._require_open()
        return self._identity

    @property
    def dimension(self) -> int:
        """384."""
        return DIMENSION

    @property
    def default_threshold(self) -> float:
        """Where good passages begin: see docs/explanation/answers.md for how it was measured."""
        return 0.3

    @property
    def component(self) -> str:
        """``models``."""
        return "models"

    async def check(self) -> ComponentHealth:
        """Whether the model is loaded."""
        if self._encoder is None:
            return ComponentHealth(name=self.component, health=Health.UNHEALTHY, message="not open")
        details: JsonObject = {"model": self._identity, "threads": self._threads}
        return ComponentHealth(name=self.component, health=Health.HEALTHY, details=details)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._load)
        self._worker = ModelThreads("minilm", self._threads + READY)
        self._worker.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._worker.stop)
        self._encoder = None

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector per text. Texts go through the model by length; the smaller of two waiting calls goes first."""
        self._require_open()
        if not texts:
            return []
        split = self._worker.submit(partial(self.tokenizer.ids, texts), priority=len(texts))
        sequences = await asyncio.wrap_future(split)
        batches = list(by_length(sequences, self._max_batch_tokens))
        vectors = await self._run_all(
            [[sequences[index] for index in batch] for batch in batches], len(texts)
        )
        results: list[Sequence[float]] = [()] * len(texts)
        for batch, rows in zip(batches, vectors, strict=True):
            for index, row in zip(batch, rows.tolist(), strict=True):
                results[index] = row
        return results

    async def _run_all(self, batches: Sequence[Sequence[Sequence[int]]], priority: int) -> list[Floats]:
        jobs: list[Future[Floats]] = [
            self._worker.submit(partial(self._vectors, batch), priority=priority) for batch in batches
        ]
        try:
            await asyncio.wrap_future(all_done(jobs))
        finally:
            for job in jobs:
                job.cancel()
        return [job.result() for job in jobs]

    def _vectors(self, sequences: Sequence[Sequence[int]]) -> Floats:
        tokens, lengths = padded(sequences)
        view = ctranslate2.StorageView.from_array
        with translating("embedding"):
            output = self._encoder.forward_batch(view(tokens), view(lengths))
        return pooled(np.asarray(output.last_hidden_state), lengths)

    def _load(self) -> None:
        if self._encoder is not None:
            raise Unavailable("the embedding model is open already")
        compute_type = _supported(self._wanted)
        with translating("reading the embedding model's package"):
            package = installed_package()
            fingerprint = package.fingerprint()
            self.tokenizer.load()
        with translating("converting the embedding model"):
            folder = converted(package, self._cache, fingerprint, compute_type)
        with translating(f"loading the embedding model (if it stays so, delete {folder})"):
            self._encoder = ctranslate2.Encoder(
                str(folder), "cpu", compute_type=compute_type, inter_threads=self._threads, intra_threads=1
            )
        self._identity = f"all-MiniLM-L6-v2/{fingerprint}/{compute_type}"

    def _require_open(self) -> None:
        if self._encoder is None:
            raise Unavailable("the embedding model is not open")


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _supported(wanted: str) -> str:
    has_int8 = "int8" in ctranslate2.get_supported_compute_types("cpu")
    if wanted == "auto":
        return "int8" if has_int8 else "float32"
    if wanted not in {"int8", "float32"}:
        raise Invalid(f"the embedding model computes in int8 or float32, not in {wanted!r}")
    if wanted == "int8" and not has_int8:
        raise Invalid("this processor cannot compute in int8; choose float32 or auto")
    return wanted
