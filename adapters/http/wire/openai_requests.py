"""What OpenAI's clients ask, as far as it is understood here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from adapters.http.wire.chat_requests import AnswerSettings, question_request
from domain.chat.request import MAX_HISTORY, MAX_HISTORY_CHARACTERS, ChatRequest, Turn
from domain.errors import Invalid, NotFound

MODEL = "factflow"
"""The model that answers from the documents, written by the server's language model if it has one."""

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


class ContentNotSupported(Invalid):
    """A message has something in it that is no text."""

    code = "content_not_supported"


class OptionNotSupported(Invalid):
    """The request asks for something that this server does not do."""

    code = "option_not_supported"


class ModelNotFound(NotFound):
    """There is no model of that name."""

    code = "model_not_found"


class FacadeSettings(AnswerSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an answer may rest on, as for `POST /api/v1/chat/complete`; and whether its text ends with its sources."""

    sources_in_text: bool = True


class OpenAiMessage(Struct, frozen=True, kw_only=True):
    """A message; its content is a text, or parts of the type `text`."""

    role: Annotated[str, Meta(examples=["user"])]
    content: Annotated[
        str | list[dict[str, Any]] | None, Meta(examples=["How is an answer traced to its sources?"])
    ] = None


class StreamOptions(Struct, frozen=True, kw_only=True):
    """What a stream tells besides the answer."""

    include_usage: bool = False


class OpenAiChatRequest(Struct, frozen=True, kw_only=True):
    """A conversation whose last message is a question. Fields that are not listed are accepted and change nothing.

    `model` is `factflow`, or `factflow/` with the name of another model of the server's endpoint.
    """

    messages: Annotated[list[OpenAiMessage], Meta(min_length=1, max_length=10_000)]
    model: Annotated[str, Meta(max_length=300, examples=[MODEL])] = MODEL
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2, examples=[0.2])] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000, examples=[512])] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1, le=1_000_000, examples=[512])] | None = None
    n: Annotated[int, Meta(examples=[1])] | None = None
    tools: Annotated[list[Any], Meta(examples=[[]])] | None = None
    response_format: Annotated[dict[str, Any], Meta(examples=[{"type": "text"}])] | None = None
    factflow: FacadeSettings | None = None


class OpenAiEmbeddingRequest(Struct, frozen=True, kw_only=True):
    """Texts to embed; `model` is an embedding slot, or `factflow` for the server's own."""

    input: Annotated[str | list[Any], Meta(examples=[["A hive holds forty thousand bees."]])]
    model: Annotated[str, Meta(max_length=300, examples=["all-MiniLM-L6-v2"])] = MODEL
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, examples=[384])] | None = None


def openai_chat_request(body: OpenAiChatRequest) -> ChatRequest:
    """The last message as a question, those before as its history.

    Raises ContentNotSupported, OptionNotSupported, ModelNotFound, InvalidChatRequest.
    """
    _require_possible(body)
    *before, last = body.messages
    if last.role != "user":
        raise OptionNotSupported(
            f"the last message must be the user's, not one of the role {last.role[:50]!r}"
        )
    settings = body.factflow or FacadeSettings()
    changes = {
        "model": written_by(body.model) or settings.model,
        "temperature": settings.temperature if body.temperature is None else body.temperature,
        "max_tokens": body.max_completion_tokens or body.max_tokens or settings.max_tokens,
    }
    return question_request(text_of(last), msgspec.structs.replace(settings, **changes), _history(before))


def written_by(model: str) -> str | None:
    """The language model that a model's name asks for, None for the server's own; raises ModelNotFound."""
    if model == MODEL:
        return None
    prefix, _, name = model.partition("/")
    if prefix != MODEL or not name:
        raise ModelNotFound(
            f"there is no model {model!r}; there is {MODEL}, and {MODEL}/NAME for another writer"
        )
    return name


def text_of(message: OpenAiMessage) -> str:
    """The text of a message; raises ContentNotSupported for an image, sound, or file."""
    if isinstance(message.content, str):
        return message.content
    parts: list[str] = []
    for part in message.content or ():
        text = part.get("text")
        if part.get("type") != "text" or not isinstance(text, str):
            kind = str(part.get("type"))[:50]
            raise ContentNotSupported(
                f"a message has a part of the type {kind!r}; this server reads text only"
            )
        parts.append(text)
    return "\n".join(parts)


def texts_to_embed(body: OpenAiEmbeddingRequest) -> Sequence[str]:
    """The texts; raises ContentNotSupported for numbers of tokens."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not all(isinstance(text, str) for text in texts):
        raise ContentNotSupported(
            "texts are embedded here, not numbers of tokens: every tokenizer has its own"
        )
    return texts


def _history(messages: Sequence[OpenAiMessage]) -> Sequence[Turn]:
    """As many of the latest messages as a request may have."""
    turns: list[Turn] = []
    room = MAX_HISTORY_CHARACTERS
    for message in reversed(messages):
        if message.role not in _ROLES:
            raise OptionNotSupported(f"messages of the role {message.role[:50]!r} are not understood here")
        text = text_of(message)
        room -= len(text)
        if room < 0 or len(turns) == MAX_HISTORY:
            break
        if text:
            turns.append(Turn(role=_ROLES[message.role], content=text))
    return tuple(reversed(turns))


def _require_possible(body: OpenAiChatRequest) -> None:
    if body.n not in {None, 1}:
        raise OptionNotSupported("one answer is written, so n must be 1")
    if body.tools:
        raise OptionNotSupported("no tools are called here: leave out tools")
    if (body.response_format or {}).get("type", "text") != "text":
        raise OptionNotSupported("answers are text: response_format must have the type text")
