"""An embedding model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp

from adapters.model_servers.embedding_wire import read_vectors, request_body
from adapters.model_servers.model_server import ModelServer, Words, server_url
from application.call_limiter import CallLimiter
from application.ports.readiness import ComponentHealth, Health
from domain.json import JsonObject
from domain.retrieval.errors import EmbeddingInputRefused, EmbeddingModelRefused, EmbeddingModelUnavailable

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
BATCH = 64
MAX_CHARACTERS = 20_000
"""Longer texts are cut: most models take some 8,000 tokens and refuse what is longer."""

HARMLESS = "text"
"""What every embedding model takes: an endpoint that refuses this as well is set up wrongly."""

_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


_WORDS = Words(
    name="the embedding model",
    unavailable=EmbeddingModelUnavailable,
    refused=EmbeddingModelRefused,
    unfit=EmbeddingInputRefused,
)


class OpenAiEmbeddingModel:
    """Speaks ``POST <base_url>/embeddings``. Open it with ``async with``.

    ``model_name`` names the slot, unless given the model. ``timeout`` is in seconds for each of ``attempts``. Texts go
    in requests of at most ``batch``, several at once as far as ``limiter`` lets. The key is in no error and no log.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        dimension: int,
        model_name: str | None = None,
        api_key: str | None = None,
        default_threshold: float = 0.3,
        timeout: float = 60.0,
        attempts: int = 5,
        retry_delay_seconds: float = 1.0,
        batch: int = BATCH,
        max_characters: int = MAX_CHARACTERS,
        limiter: CallLimiter | None = None,
    ) -> None:
        self._server = ModelServer(
            server_url(base_url, _WORDS) / "embeddings",
            _WORDS,
            api_key=api_key,
            timeout=aiohttp.ClientTimeout(total=timeout),
            attempts=attempts,
            retry_delay_seconds=retry_delay_seconds,
            max_bytes=MAX_RESPONSE_BYTES,
            limiter=limiter,
        )
        self._model, self._slot = model, model_name or model
        self._dimension, self._threshold = dimension, default_threshold
        self._batch, self._max_characters = batch, max_characters

    @property
    def model_name(self) -> str:
        """The slot's name."""
        return self._slot

    @property
    def identity(self) -> str:
        """The model as its server knows it; where that server stands makes no difference to the vectors."""
        return f"openai/{self._model}/{self._dimension}"

    @property
    def dimension(self) -> int:
        """As given; an answer of another one is refused."""
        return self._dimension

    @property
    def default_threshold(self) -> float:
        """As given: it depends on the model."""
        return self._threshold

    @property
    def component(self) -> str:
        """``models``."""
        return "models"

    async def check(self) -> ComponentHealth:
        """Whether it is open and lets requests through; asks the endpoint nothing, which may cost money."""
        details: JsonObject = {"model": self.identity, "address": self._server.address}
        if not self._server.is_open:
            return ComponentHealth(
                name=self.component, health=Health.UNHEALTHY, message="not open", details=details
            )
        return ComponentHealth(name=self.component, health=Health.HEALTHY, details=details)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, traceback)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector of unit length per text, in order; the text's first characters, when it is longer than allowed.

        Raises EmbeddingModelUnavailable, EmbeddingModelRefused, and EmbeddingInputRefused where one of the texts is
        not taken but a harmless one is, which fails all of them.
        """
        readable = [self._readable(text) for text in texts]
        batches = [readable[start : start + self._batch] for start in range(0, len(readable), self._batch)]
        tasks = [asyncio.ensure_future(self._embed(batch)) for batch in batches]
        try:
            return [vector for vectors in await asyncio.gather(*tasks) for vector in vectors]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        try:
            return await self._asked(texts)
        except EmbeddingInputRefused:
            # Servers refuse requests with the same status when no model is loaded or a parameter is unknown.
            await self._require_harmless_taken()
            raise

    async def _require_harmless_taken(self) -> None:
        try:
            await self._asked([HARMLESS])
        except EmbeddingInputRefused as error:
            raise EmbeddingModelRefused(f"{error.message}; it refuses every text") from error

    async def _asked(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        body = request_body(texts, model=self._model)
        content = await self._server.ask(body, self._model)
        return read_vectors(content, count=len(texts), dimension=self._dimension)

    def _readable(self, text: str) -> str:
        # An empty text is refused by most servers.
        return _UNREADABLE.sub("\ufffd", text[: self._max_characters]).strip() or "."
