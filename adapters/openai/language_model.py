"""A language model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from adapters.openai.events import EventStream
from adapters.openai.responses import TryAgain, classify, require_success, translating
from adapters.openai.wire import DONE, failure_text, read_reply, request_body
from application.call_limiter import CallLimiter, call_limiter
from application.calls import Calls
from application.ports.language_model import ChatMessage, Completion, CompletionOptions
from application.tracing import trace_headers
from domain.chat.errors import LanguageModelRefused, LanguageModelUnavailable
from domain.chat.usage import TokenUsage
from domain.errors import Invalid

MAX_RESPONSE_BYTES = 8 * 1024 * 1024


class OpenAiLanguageModel:
    """Speaks ``POST <base_url>/chat/completions``. Open it with ``async with``.

    ``timeout`` is in seconds without a byte from the server. A request is tried ``attempts`` times with jitter in
    between, but never again once a piece of the answer was given. ``limiter`` holds how many may be under way at once,
    a stream until its end; unless given it is the one that all callers of the same server share. The key is in no
    error and no log.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        api_key: str | None = None,
        timeout: float = 60.0,
        attempts: int = 3,
        retry_delay_seconds: float = 1.0,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        limiter: CallLimiter | None = None,
    ) -> None:
        self._url = _endpoint(base_url)
        self._address = str(self._url.with_user(None).with_query(None))
        self._key = _key(api_key)
        self._model = model
        self._timeout = timeout
        self._calls = Calls(
            limiter=limiter or call_limiter(self._address),
            attempts=attempts,
            retry_delay_seconds=retry_delay_seconds,
            classify=classify,
        )
        self._max_bytes = max_response_bytes
        self._asks_usage = True
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """The model asked for when a request names none."""
        return self._model

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=self._timeout)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def complete(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> Completion:
        """The whole answer."""
        body = request_body(messages, options, model=self._model, stream=False)
        return await self._calls.call(lambda: self._complete(body, options.model or self._model))

    async def stream(
        self, messages: Sequence[ChatMessage], options: CompletionOptions
    ) -> AsyncGenerator[str | TokenUsage, None]:
        """The answer piece by piece."""
        retries = 0
        begun = False
        while True:
            asks_usage = self._asks_usage
            body = request_body(messages, options, model=self._model, stream=True, asks_usage=asks_usage)
            try:
                async with (
                    self._calls.slot(),
                    aclosing(self._stream(body, options.model or self._model)) as pieces,
                ):
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except TryAgain as error:
                if begun:
                    raise
                await self._calls.before_retry(error, retries)
                retries += 1
            except LanguageModelRefused as error:
                # Some servers know no ``stream_options``, and say so: the answer matters more than its cost.
                if begun or not asks_usage or "stream_options" not in error.message:
                    raise
                self._asks_usage = False

    async def _complete(self, body: bytes, model: str) -> Completion:
        with translating(self._address):
            async with self._post(body) as response:
                await self._require_success(response, model)
                reply = read_reply(await self._content(response), self._hide)
        if not reply.choices:
            raise LanguageModelUnavailable(f"the language model at {self._address} answered without a choice")
        return Completion(text=reply.text, usage=reply.cost)

    async def _stream(self, body: bytes, model: str) -> AsyncGenerator[str | TokenUsage, None]:
        with translating(self._address):
            async with self._post(body) as response:
                await self._require_success(response, model)
                if response.content_type == "application/json":
                    # A server that does not stream answers all the same.
                    reply = read_reply(await self._content(response), self._hide)
                    yield reply.text
                    if reply.cost:
                        yield reply.cost
                    return
                async with aclosing(self._pieces(response)) as pieces:
                    async for piece in pieces:
                        yield piece

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncGenerator[str | TokenUsage, None]:
        finished = False
        async with aclosing(self._events(response)) as events:
            async for data in events:
                if data.strip() == DONE:
                    return
                reply = read_reply(data, self._hide)
                finished = finished or reply.is_finished
                if reply.text:
                    yield reply.text
                if reply.cost:
                    yield reply.cost
        if not finished:
            raise LanguageModelUnavailable(f"the answer of the language model at {self._address} broke off")

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
        events = EventStream()
        received = 0
        async for chunk in response.content.iter_any():
            received += len(chunk)
            self._require_size(received)
            for data in events.feed(chunk):
                yield data
        for data in events.end():
            yield data

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            self._require_size(len(content))
        return bytes(content)

    def _require_size(self, received: int) -> None:
        if received > self._max_bytes:
            raise LanguageModelUnavailable(
                f"the language model at {self._address} answered with more than {self._max_bytes} bytes"
            )

    async def _require_success(self, response: aiohttp.ClientResponse, model: str) -> None:
        if response.status == 200:
            return
        reason = self._hide(failure_text(await response.content.read(4096)))
        require_success(
            response.status,
            reason,
            address=self._address,
            model=model,
            retry_after=response.headers.get("Retry-After"),
        )

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def _post(self, body: bytes) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        # A redirect would carry the key to another server.
        return self._opened().post(self._url, data=body, headers=self._headers(), allow_redirects=False)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        headers |= trace_headers()
        return {**headers, "Authorization": f"Bearer {self._key}"} if self._key else headers

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise LanguageModelUnavailable("the language model is not open")
        return self._session


def _endpoint(base_url: str) -> URL:
    try:
        url = URL(base_url.rstrip("/"))
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("it must begin with http:// or https:// and name a host")
    except ValueError as error:
        raise Invalid(f"the language model's address cannot be used: {error}") from error
    return url / "chat" / "completions"


def _key(api_key: str | None) -> str:
    key = (api_key or "").strip()
    if not key.isascii() or (key and not key.isprintable()):
        raise LanguageModelRefused("the language model's API key has characters that no header may have")
    return key
