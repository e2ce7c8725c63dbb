"""A server that runs a model and is posted JSON: its connection, and what its failures mean to us."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from adapters.model_servers.failure_wire import failure_text, seconds_to_wait
from application.call_limiter import CallLimiter, call_limiter
from application.calls import Calls
from application.tracing import trace_headers
from domain.call_failure import RETRYABLE_STATUSES, CallFailure, CallFailureKind, classify_call_error
from domain.errors import FactflowError, Invalid, Unavailable

_UNFIT_STATUSES = {400, 413, 422}


class TryAgain(Unavailable):
    """The server is overloaded, failing or away; another attempt may do better."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How errors speak of the server: its ``name``, such as ``the reranker``, and their classes.

    ``unfit`` is that of a refusal which is about what was sent (400, 413, 422), ``refused`` unless given.
    """

    name: str
    unavailable: type[Unavailable]
    refused: type[FactflowError]
    unfit: type[FactflowError] | None = None


class ModelServer:
    """Posts JSON to one address. Open it with ``async with``; the key is in no error and no log.

    A request is tried ``attempts`` times, at most so many at once as ``limiter`` lets: unless given, the one that all
    callers of the address share. ``max_bytes`` bounds an answer.
    """

    def __init__(
        self,
        url: URL,
        words: Words,
        *,
        api_key: str | None,
        timeout: aiohttp.ClientTimeout,
        attempts: int,
        retry_delay_seconds: float,
        max_bytes: int,
        limiter: CallLimiter | None = None,
        longest_retry_after_seconds: float = 30.0,
    ) -> None:
        self.address = str(url.with_user(None).with_query(None))
        self._url, self._words, self._timeout = url, words, timeout
        self._key = _sendable_key(api_key, words)
        self._max_bytes = max_bytes
        self.calls = Calls(
            limiter=limiter or call_limiter(self.address),
            attempts=attempts,
            retry_delay_seconds=retry_delay_seconds,
            longest_retry_after_seconds=longest_retry_after_seconds,
            classify=_classify,
        )
        self._session: aiohttp.ClientSession | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests can be posted."""
        return self._session is not None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, body: bytes, model: str | None) -> bytes:
        """The whole answer of a model; raises the errors of its words."""
        with self.final():
            return await self.calls.call(lambda: self._answer(body, model))

    async def _answer(self, body: bytes, model: str | None) -> bytes:
        async with self.posted(body, model) as response:
            return await self.content(response)

    @asynccontextmanager
    async def posted(self, body: bytes, model: str | None) -> AsyncIterator[aiohttp.ClientResponse]:
        """One attempt: a response of status 200. Raises TryAgain, and the errors of its words."""
        if self._session is None:
            raise self._words.unavailable(f"{self._words.name} is not open")
        # A redirect would carry the key to another server.
        sent = self._session.post(self._url, data=body, headers=self._headers(), allow_redirects=False)
        with self._translating():
            async with sent as response:
                if response.status != 200:
                    self._refuse(response, await response.content.read(4096), model)
                yield response

    async def content(self, response: aiohttp.ClientResponse) -> bytes:
        """All that a response holds."""
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            self.require_size(len(content))
        return bytes(content)

    def require_size(self, received: int) -> None:
        """Refuse an answer that has come to so many bytes and is too long."""
        if received > self._max_bytes:
            raise self._words.unavailable(
                f"{self._words.name} at {self.address} answered with more than {self._max_bytes} bytes"
            )

    @contextmanager
    def final(self) -> Iterator[None]:
        """Make the last TryAgain the error of its words."""
        try:
            yield
        except TryAgain as error:
            raise self._words.unavailable(str(error)) from error

    def hide(self, text: str) -> str:
        """A text of the server's without the key."""
        return text.replace(self._key, "***") if self._key else text

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        headers |= trace_headers()
        return {**headers, "Authorization": f"Bearer {self._key}"} if self._key else headers

    def _refuse(self, response: aiohttp.ClientResponse, content: bytes, model: str | None) -> None:
        status, who = response.status, f"{self._words.name} at {self.address}"
        reason = self.hide(failure_text(content))
        tail = f"({status}): {reason}" if reason else f"({status})"
        if status in RETRYABLE_STATUSES or status == 429 or status >= 500:
            wait = seconds_to_wait(response.headers.get("Retry-After"))
            raise TryAgain(f"{who} is not able to answer {tail}", status=status, retry_after=wait)
        if status in {401, 403}:
            raise self._words.refused(f"{who} refused the key ({status}); check the setting of its API key")
        if status == 404:
            missing = f"has no model {model!r}" if model else "is not at this address"
            raise self._words.refused(f"{who} {missing} {tail}")
        unfit = self._words.unfit if status in _UNFIT_STATUSES else None
        raise (unfit or self._words.refused)(f"{who} rejected the request {tail}")

    @contextmanager
    def _translating(self) -> Iterator[None]:
        who = f"{self._words.name} at {self.address}"
        try:
            yield
        except aiohttp.ClientConnectorError as error:
            raise TryAgain(f"{who} cannot be reached: {error.strerror or error}") from error
        except TimeoutError as error:
            raise TryAgain(f"{who} did not answer in time") from error
        except aiohttp.InvalidURL as error:
            raise self._words.refused(f"{self.address} is not the address of {self._words.name}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TryAgain(f"the connection to {who} broke: {type(error).__name__}") from error


def _classify(error: BaseException) -> CallFailure:
    """Only what says so is worth another attempt: an answer that cannot be read would come again."""
    if isinstance(error, TryAgain):
        return classify_call_error(error)
    return CallFailure(kind=CallFailureKind.TERMINAL)


def server_url(address: str, words: Words) -> URL:
    """The address as one that can be posted to; raises Invalid."""
    try:
        url = URL(address.rstrip("/"))
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("it must begin with http:// or https:// and name a host")
    except ValueError as error:
        raise Invalid(f"the address of {words.name} cannot be used: {error}") from error
    return url


def _sendable_key(api_key: str | None, words: Words) -> str:
    key = (api_key or "").strip()
    if not key.isascii() or (key and not key.isprintable()):
        raise words.refused(f"the API key of {words.name} has characters that no header may have")
    return key
