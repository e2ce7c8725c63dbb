"""An embedding model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from adapters.openai.embedding_wire import read_vectors, request_body
from adapters.openai.responses import seconds_to_wait
from adapters.openai.wire import failure_text
from application.call_limiter import CallLimiter, call_limiter
from application.calls import Calls
from application.ports.readiness import ComponentHealth, Health
from application.tracing import trace_headers
from domain.call_failure import CallFailure, CallFailureKind, classify_call_error
from domain.errors import Invalid
from domain.json import JsonObject
from domain.retrieval.errors import EmbeddingModelRefused, EmbeddingModelUnavailable

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
BATCH = 64
MAX_CHARACTERS = 20_000
"""Longer texts are cut: most models take some 8,000 tokens and refuse what is longer."""

_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


class TryAgainLater(EmbeddingModelUnavailable):
    """The embedding model's server is overloaded or failing."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


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
        self._url = _endpoint(base_url)
        self._address = str(self._url.with_user(None).with_query(None))
        self._model, self._key = model, api_key
        self._slot = model_name or model
        self._dimension, self._threshold = dimension, default_threshold
        self._batch, self._max_characters = batch, max_characters
        self._timeout = timeout
        self._calls = Calls(
            limiter=limiter or call_limiter(self._address),
            attempts=attempts,
            retry_delay_seconds=retry_delay_seconds,
            classify=_classify,
        )
        self._session: aiohttp.ClientSession | None = None

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
        details: JsonObject = {"model": self.identity, "address": self._address}
        if self._session is None:
            return ComponentHealth(
                name=self.component, health=Health.UNHEALTHY, message="not open", details=details
            )
        return ComponentHealth(name=self.component, health=Health.HEALTHY, details=details)

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector of unit length per text, in order; the text's first characters, when it is longer than allowed.

        Raises EmbeddingModelUnavailable, EmbeddingModelRefused.
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
        body = request_body(texts, model=self._model)
        content = await self._calls.call(lambda: self._post(body))
        return read_vectors(content, count=len(texts), dimension=self._dimension)

    async def _post(self, body: bytes) -> bytes:
        if self._session is None:
            raise EmbeddingModelUnavailable("the embedding model is not open")
        headers = {"Content-Type": "application/json", **trace_headers()}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        # A redirect would carry the key to another server.
        sent = self._session.post(self._url, data=body, headers=headers, allow_redirects=False)
        with _translating(self._address):
            async with sent as response:
                if response.status != 200:
                    self._refuse(response, await response.content.read(4096))
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > MAX_RESPONSE_BYTES:
                        raise EmbeddingModelUnavailable(
                            f"the embedding model at {self._address} answered too much"
                        )
                return bytes(content)

    def _refuse(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        status, reason = response.status, failure_text(content)
        if self._key:
            reason = reason.replace(self._key, "***")
        tail = f"({status}): {reason}" if reason else f"({status})"
        if status in {408, 409, 425, 429} or status >= 500:
            raise TryAgainLater(
                f"the embedding model at {self._address} is not able to answer {tail}",
                status=status,
                retry_after=seconds_to_wait(response.headers.get("Retry-After")),
            )
        raise EmbeddingModelRefused(f"the embedding model at {self._address} rejected the request {tail}")

    def _readable(self, text: str) -> str:
        # An empty text is refused by most servers.
        return _UNREADABLE.sub("\ufffd", text[: self._max_characters]).strip() or "."


@contextmanager
def _translating(address: str) -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise TryAgainLater(
            f"the embedding model at {address} cannot be reached: {error.strerror or error}"
        ) from error
    except TimeoutError as error:
        raise TryAgainLater(f"the embedding model at {address} did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise TryAgainLater(
            f"the connection to the embedding model at {address} broke: {type(error).__name__}"
        ) from error


def _classify(error: BaseException) -> CallFailure:
    if isinstance(error, TryAgainLater):
        return classify_call_error(error)
    return CallFailure(kind=CallFailureKind.TERMINAL)


def _endpoint(base_url: str) -> URL:
    try:
        url = URL(base_url.rstrip("/"))
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("it must begin with http:// or https:// and name a host")
    except ValueError as error:
        raise Invalid(f"the embedding model's address cannot be used: {error}") from error
    return url / "embeddings"
