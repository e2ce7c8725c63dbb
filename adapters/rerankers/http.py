"""A reranker behind an HTTP endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from adapters.rerankers.wire import BATCHES, Dialect, read_scores, request_body, said
from application.call_limiter import CallLimiter, call_limiter
from application.calls import Calls
from domain.call_failure import CallFailure, CallFailureKind, classify_call_error
from domain.errors import Invalid
from domain.retrieval.errors import RerankerRefused, RerankerUnavailable

MAX_RESPONSE_BYTES = 4 * 1024 * 1024


class TryAgain(RerankerUnavailable):
    """The reranker is overloaded or failing."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


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
        self._url = _endpoint(url)
        self._address = str(self._url.with_user(None).with_query(None))
        self._dialect, self._model, self._key = dialect, model, api_key
        self._timeout = timeout
        self._calls = Calls(
            limiter=limiter or call_limiter(self._address),
            attempts=attempts,
            retry_delay_seconds=retry_delay_seconds,
            longest_retry_after_seconds=timeout,
            classify=_classify,
        )
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """The model that was asked for, else the address."""
        return self._model or self._address

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

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """The scores that the service gives, whatever their scale."""
        scores: list[float] = []
        size = BATCHES[self._dialect]
        for start in range(0, len(texts), size):
            scores += await self._scores(query, texts[start : start + size])
        return scores

    async def _scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        body = request_body(self._dialect, self._model, _readable(query), list(map(_readable, texts)))
        return read_scores(await self._calls.call(lambda: self._post(body)), len(texts))

    async def _post(self, body: bytes) -> bytes:
        if self._session is None:
            raise RerankerUnavailable("the reranker is not open")
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        # A redirect would carry the key to another server.
        sent = self._session.post(self._url, data=body, headers=headers, allow_redirects=False)
        with translating(self._address):
            async with sent as response:
                if response.status != 200:
                    self._refuse(response, await response.content.read(4096))
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > MAX_RESPONSE_BYTES:
                        raise RerankerUnavailable(f"the reranker at {self._address} answered too much")
                return bytes(content)

    def _refuse(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        status, reason = response.status, said(content)
        if self._key:
            reason = reason.replace(self._key, "***")
        tail = f"({status}): {reason}" if reason else f"({status})"
        if status in {408, 409, 425, 429} or status >= 500:
            raise TryAgain(
                f"the reranker at {self._address} is not able to answer {tail}",
                status=status,
                retry_after=response.headers.get("Retry-After"),
            )
        raise RerankerRefused(f"the reranker at {self._address} rejected the request {tail}")


@contextmanager
def translating(address: str) -> Iterator[None]:
    """Turn what aiohttp and the network raise into our errors, naming the address."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise TryAgain(f"the reranker at {address} cannot be reached: {error.strerror or error}") from error
    except TimeoutError as error:
        raise TryAgain(f"the reranker at {address} did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise TryAgain(
            f"the connection to the reranker at {address} broke: {type(error).__name__}"
        ) from error


def _classify(error: BaseException) -> CallFailure:
    if isinstance(error, TryAgain):
        return classify_call_error(error)
    return CallFailure(kind=CallFailureKind.TERMINAL)


def _endpoint(url: str) -> URL:
    try:
        endpoint = URL(url.rstrip("/"))
        if endpoint.scheme not in {"http", "https"} or not endpoint.host:
            raise ValueError("it must begin with http:// or https:// and name a host")
    except ValueError as error:
        raise Invalid(f"the reranker's address cannot be used: {error}") from error
    return endpoint if endpoint.path.endswith("/rerank") else endpoint / "rerank"


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
