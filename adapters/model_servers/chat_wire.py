"""The parts of the chat completions protocol that are read, and how a request is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from adapters.model_servers.failure_wire import said
from application.ports.language_model import ChatMessage, CompletionOptions
from domain.chat.errors import LanguageModelUnavailable
from domain.chat.finish import FinishReason, finish_reason
from domain.chat.usage import TokenUsage

DONE = "[DONE]"


class Text(msgspec.Struct, frozen=True):
    """A message, or the part of one that a chunk adds."""

    content: str | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        """What is to be read."""
        return self.content or self.refusal or ""


class Choice(msgspec.Struct, frozen=True):
    """One answer; only the first is asked for."""

    message: Text | None = None
    delta: Text | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens read and written, as far as the server counts them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Reply(msgspec.Struct, frozen=True):
    """A whole answer or a chunk of one. ``error`` is an object or, with some servers, a string.

    A choice that is no text, such as a call of a tool, has none.
    """

    choices: list[Choice] = []
    error: Any = None
    usage: Usage | None = None

    @property
    def cost(self) -> TokenUsage | None:
        """What the server says that it cost."""
        if self.usage is None or self.usage.prompt_tokens is None:
            return None
        return TokenUsage(
            prompt_tokens=max(self.usage.prompt_tokens, 0),
            completion_tokens=max(self.usage.completion_tokens or 0, 0),
        )

    @property
    def text(self) -> str:
        """The text of the first choice; empty where there is none, as in a chunk that tells the usage."""
        part = (self.choices[0].message or self.choices[0].delta) if self.choices else None
        return part.text if part else ""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why nothing more comes; None when the server does not say that it does not."""
        return finish_reason(self.choices[0].finish_reason) if self.choices else None


def request_body(
    messages: Sequence[ChatMessage],
    options: CompletionOptions,
    *,
    model: str,
    stream: bool,
    asks_usage: bool = False,
) -> bytes:
    """The JSON to post; what is None is left to the server."""
    body: dict[str, Any] = {
        "model": options.model or model,
        "messages": [{"role": message.role, "content": _sendable(message.content)} for message in messages],
        "stream": stream,
    }
    if stream and asks_usage:
        body["stream_options"] = {"include_usage": True}
    if options.temperature is not None:
        body["temperature"] = options.temperature
    if options.max_tokens is not None:
        body["max_tokens"] = options.max_tokens
    return msgspec.json.encode(body)


def _sendable(text: str) -> str:
    """The text with a question mark for each lone surrogate, which no JSON text may have."""
    return text.encode("utf-8", "replace").decode("utf-8")


def read_reply(content: bytes | str, hide: Callable[[str], str] = str) -> Reply:
    """What a server sent; ``hide`` takes secrets out of what it says about an error.

    Raises LanguageModelUnavailable for what is not the protocol, and for an error the server reports within.
    """
    try:
        reply = msgspec.json.decode(content, type=Reply)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise LanguageModelUnavailable(f"the language model's answer cannot be read: {error}") from error
    if reply.error:
        raise LanguageModelUnavailable(f"the language model failed: {hide(said(reply.error))}")
    return reply
