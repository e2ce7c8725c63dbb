"""A language model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

import aiohttp

from adapters.model_servers.chat_wire import DONE, Reply, read_reply, request_body
from adapters.model_servers.events import EventStream
from adapters.model_servers.model_server import ModelServer, TryAgain, Words, server_url
from application.call_limiter import CallLimiter
from application.ports.language_model import ChatMessage, Completion, CompletionOptions, Piece
from domain.chat.errors import LanguageModelRefused, LanguageModelUnavailable
from domain.chat.finish import FinishReason

MAX_RESPONSE_BYTES = 8 * 1024 * 1024
_WORDS = Words(name="the language model", unavailable=LanguageModelUnavailable, refused=LanguageModelRefused)


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
        self._server = ModelServer(
            server_url(base_url, _WORDS) / "chat" / "completions",
            _WORDS,
            api_key=api_key,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=timeout),
            attempts=attempts,
            retry_delay_seconds=retry_delay_seconds,
            max_bytes=max_response_bytes,
            limiter=limiter,
        )
        self._model = model
        self._asks_usage = True

    @property
    def name(self) -> str:
        """The model asked for when a request names none."""
        return self._model

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, traceback)

    async def complete(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> Completion:
        """The whole answer."""
        body = request_body(messages, options, model=self._model, stream=False)
        reply = read_reply(await self._server.ask(body, options.model or self._model), self._server.hide)
        self._require_choice(has_one=bool(reply.choices))
        return Completion(
            text=reply.text, usage=reply.cost, finish_reason=reply.finish_reason or FinishReason.STOP
        )

    async def stream(
        self, messages: Sequence[ChatMessage], options: CompletionOptions
    ) -> AsyncGenerator[Piece, None]:
        """The answer piece by piece."""
        with self._server.final():
            async with aclosing(self._tried(messages, options)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _tried(
        self, messages: Sequence[ChatMessage], options: CompletionOptions
    ) -> AsyncGenerator[Piece, None]:
        model = options.model or self._model
        retries = 0
        begun = False
        while True:
            asks_usage = self._asks_usage
            body = request_body(messages, options, model=self._model, stream=True, asks_usage=asks_usage)
            try:
                async with self._server.calls.slot(), aclosing(self._stream(body, model)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except TryAgain as error:
                if begun:
                    raise
                await self._server.calls.before_retry(error, retries)
                retries += 1
            except LanguageModelRefused as error:
                # Some servers know no ``stream_options``, and say so: the answer matters more than its cost.
                if begun or not asks_usage or "stream_options" not in error.message:
                    raise
                self._asks_usage = False

    async def _stream(self, body: bytes, model: str) -> AsyncGenerator[Piece, None]:
        async with self._server.posted(body, model) as response:
            if response.content_type == "application/json":
                # A server that does not stream answers all the same.
                reply = read_reply(await self._server.content(response), self._server.hide)
                self._require_choice(has_one=bool(reply.choices))
                for part in _parts(reply):
                    yield part
                return
            async with aclosing(self._pieces(response)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncGenerator[Piece, None]:
        has_choice = is_finished = False
        async with aclosing(self._events(response)) as events:
            async for data in events:
                if data.strip() == DONE:
                    is_finished = True
                    break
                reply = read_reply(data, self._server.hide)
                has_choice = has_choice or bool(reply.choices)
                is_finished = is_finished or reply.finish_reason is not None
                for part in _parts(reply):
                    yield part
        if not is_finished:
            raise LanguageModelUnavailable(
                f"the answer of the language model at {self._server.address} broke off"
            )
        self._require_choice(has_one=has_choice)

    def _require_choice(self, *, has_one: bool) -> None:
        if not has_one:
            raise LanguageModelUnavailable(
                f"the language model at {self._server.address} answered without a choice"
            )

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
        events = EventStream()
        received = 0
        async for chunk in response.content.iter_any():
            received += len(chunk)
            self._server.require_size(received)
            for data in events.feed(chunk):
                yield data
        for data in events.end():
            yield data


def _parts(reply: Reply) -> Iterator[Piece]:
    """What a chunk or a whole answer adds to a stream."""
    if reply.text:
        yield reply.text
    if reply.finish_reason is not None:
        yield reply.finish_reason
    if reply.cost is not None:
        yield reply.cost
