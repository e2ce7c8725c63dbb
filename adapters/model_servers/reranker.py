"""A reranker behind an HTTP endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from adapters.model_servers.model_server import ModelServer, Words, server_url
from adapters.model_servers.reranker_wire import BATCHES, Dialect, read_scores, request_body
from application.call_limiter import CallLimiter
from domain.retrieval.errors import RerankerRefused, RerankerUnavailable

MAX_RESPONSE_BYTES = 4 * 1024 * 1024


_WORDS = Words(name="the reranker", unavailable=RerankerUnavailable, refused=RerankerRefused)


class HttpReranker:
    """Speaks ``POST <url>``, to which ``/rerank`` is added unless it ends so. Open it with ``async with``.

    ``timeout`` is in seconds for each of ``attempts``, between which there is a jitter. The key is in no error.
    """

    def __init__(
        self,
        url: str,
        *,
        dialect: Dialect = Dialect.COHERE,
        model: str | None = None,
        api_key: str | None = None,
        timeout: float = 10.0,
        attempts: int = 2,
        retry_delay_seconds: float = 0.5,
        limiter: CallLimiter | None = None,
    ) -> None:
        self._server = ModelServer(
            _endpoint(url),
            _WORDS,
            api_key=api_key,
            timeout=aiohttp.ClientTimeout(total=timeout),
            attempts=attempts,
            retry_delay_seconds=retry_delay_seconds,
            longest_retry_after_seconds=timeout,
            max_bytes=MAX_RESPONSE_BYTES,
            limiter=limiter,
        )
        self._dialect, self._model = dialect, model

    @property
    def name(self) -> str:
        """The model that was asked for, else the address."""
        return self._model or self._server.address

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, traceback)

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """The scores that the service gives, whatever their scale."""
        scores: list[float] = []
        size = BATCHES[self._dialect]
        for start in range(0, len(texts), size):
            scores += await self._scores(query, texts[start : start + size])
        return scores

    async def _scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        body = request_body(self._dialect, self._model, _readable(query), list(map(_readable, texts)))
        return read_scores(await self._server.ask(body, self._model), len(texts))


def _endpoint(address: str) -> URL:
    url = server_url(address, _WORDS)
    return url if url.path.endswith("/rerank") else url / "rerank"


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
