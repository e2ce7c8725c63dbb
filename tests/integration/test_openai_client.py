"""The operations under /v1, asked by OpenAI's own client library."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI, AsyncStream, BadRequestError, InternalServerError, NotFoundError
from openai.types.chat import ChatCompletionChunk

from adapters.memory.models import MemoryLanguageModel
from domain.chat.errors import LanguageModelUnavailable
from domain.chat.finish import FinishReason
from tests.http_server import Api, World, serving
from tests.unit.chat_texts import Breaking

BEES = "Bees gather nectar. A hive holds forty thousand bees."
QUESTION: list[Any] = [{"role": "user", "content": "How many bees does a hive hold?"}]


async def world(**options: Any) -> World:
    made = World(**options)
    await made.index("bees", BEES)
    return made


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    model = MemoryLanguageModel("Forty thousand [1][9].")
    async with serving(world=await world(language_model=model)) as api:
        yield api


@pytest.fixture
async def client(api: Api) -> AsyncIterator[AsyncOpenAI]:
    async with opened(api) as client:
        yield client


def opened(api: Api) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{api.url}/v1", api_key="none", max_retries=0)


async def test_an_answer_has_its_sources_as_annotations_and_in_its_text(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="factflow", messages=QUESTION)
    message = completion.choices[0].message
    assert message.role == "assistant"
    assert message.content == (
        "Forty thousand [1].\n\nSources:\n[1] Bees > Nature (https://example.org/bees)"
    )
    assert message.annotations is not None
    cited = message.annotations[0].url_citation
    assert (cited.title, cited.url) == ("Bees", "https://example.org/bees")
    assert message.content[cited.start_index : cited.end_index] == "Forty thousand [1]"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3
    extra = completion.model_extra or {}
    assert extra["factflow"]["unknown_markers"] == [9]


async def test_a_streamed_answer_is_the_same_in_pieces(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="factflow", messages=QUESTION)
    stream = await client.chat.completions.create(
        model="factflow", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == (
        whole.choices[0].message.content
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    told = [choice.delta.model_extra or {} for chunk in chunks for choice in chunk.choices]
    assert [len(extra["annotations"]) for extra in told if "annotations" in extra] == [1]
    assert len({chunk.id for chunk in chunks}) == 1


async def test_a_streamed_answer_that_is_cut_off_says_so() -> None:
    model = MemoryLanguageModel("Forty thousand [1].", reason=FinishReason.LENGTH)
    async with serving(world=await world(language_model=model)) as api, opened(api) as client:
        stream = await client.chat.completions.create(model="factflow", messages=QUESTION, stream=True)
        reasons = [choice.finish_reason async for chunk in stream for choice in chunk.choices]
    assert [reason for reason in reasons if reason] == ["length"]


async def test_the_request_is_what_the_server_is_asked(api: Api, client: AsyncOpenAI) -> None:
    """History, writer, temperature, and all that ``factflow`` sets; what is unknown changes nothing."""
    completion = await client.chat.completions.create(
        model="factflow/large",
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hello!"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "How many"}, {"type": "text", "text": "bees?"}],
            },
        ],
        temperature=0.5,
        max_completion_tokens=77,
        seed=1,
        user="me",
        extra_body={"factflow": {"sources_in_text": False, "rag_config": {"max_context_items": 1}}},
    )
    assert completion.choices[0].message.content == "Forty thousand [1]."
    model = api.world.language_model
    assert isinstance(model, MemoryLanguageModel)
    messages, options = model.asked[-1]
    assert [(one.role, one.content) for one in messages[1:4]] == [
        ("system", "Be kind."),
        ("user", "Hello"),
        ("assistant", "Hello!"),
    ]
    assert messages[-1].content.endswith("How many\nbees?")
    assert (options.model, options.temperature, options.max_tokens) == ("large", 0.5, 77)


async def test_it_answers_without_a_language_model() -> None:
    async with serving(world=await world()) as api, opened(api) as client:
        completion = await client.chat.completions.create(model="factflow", messages=QUESTION)
        text = completion.choices[0].message.content or ""
        assert "A hive holds forty thousand bees [1]." in text
        assert completion.usage is not None
        assert completion.usage.completion_tokens > 0


async def test_models_are_listed_and_read(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    assert listed == ["factflow", "words"]
    assert (await client.models.retrieve("words")).owned_by == "factflow"
    with pytest.raises(NotFoundError):
        await client.models.retrieve("gpt-9")


async def test_texts_are_embedded(api: Api, client: AsyncOpenAI) -> None:
    """As numbers and, as the client asks by itself, in base64."""
    (expected,) = await api.world.model.embed([BEES])
    by_default = await client.embeddings.create(model="words", input=BEES)
    as_numbers = await client.embeddings.create(model="factflow", input=[BEES, "x"], encoding_format="float")
    assert by_default.data[0].embedding == pytest.approx(list(expected), abs=1e-6)
    assert as_numbers.data[0].embedding == pytest.approx(list(expected))
    assert [one.index for one in as_numbers.data] == [0, 1]
    assert (by_default.model, by_default.usage.prompt_tokens) == ("words", 9)
    body = {"model": "words", "input": BEES, "encoding_format": "base64"}
    _, raw = await api.ask("POST", "/v1/embeddings", json=body)
    packed = base64.b64decode(raw["data"][0]["embedding"])
    assert struct.unpack(f"<{len(expected)}f", packed) == pytest.approx(list(expected), abs=1e-6)


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "content_not_supported", "image_url"),
        ({"messages": [{"role": "user", "content": "  "}]}, "chat_request_invalid", "characters"),
        ({"messages": [{"role": "user", "content": None}]}, "chat_request_invalid", "characters"),
        ({"messages": [{"role": "user", "content": "\x01"}]}, "chat_request_invalid", "can be read"),
        ({"messages": [{"role": "user", "content": "x" * 10_001}]}, "chat_request_invalid", "10000"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "option_not_supported", "last message"),
        ({"messages": [{"role": "tool", "content": "x"}, *QUESTION]}, "option_not_supported", "tool"),
        ({"n": 2}, "option_not_supported", "n must be 1"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "option_not_supported", "tools"),
        ({"response_format": {"type": "json_object"}}, "option_not_supported", "response_format"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_cannot_be_had_is_refused_clearly(
    client: AsyncOpenAI, change: dict[str, Any], code: str, said: str, stream: bool
) -> None:
    asked = {"model": "factflow", "messages": QUESTION, "stream": stream, **change}
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(**asked)
    assert caught.value.code == code
    assert said in str(caught.value.body)


@pytest.mark.parametrize("model", ["gpt-9", "", "factflow/", "words"])
async def test_a_model_that_is_not_there_is_not_found(client: AsyncOpenAI, model: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        await client.chat.completions.create(model=model, messages=QUESTION)
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"input": [[1, 2, 3]]}, BadRequestError),
        ({"input": [1, 2]}, BadRequestError),
        ({"input": []}, BadRequestError),
        ({"input": ""}, BadRequestError),
        ({"dimensions": 3}, BadRequestError),
        ({"model": "gpt-9"}, NotFoundError),
    ],
)
async def test_what_cannot_be_embedded_is_refused(
    client: AsyncOpenAI, change: dict[str, Any], error: type[APIError]
) -> None:
    with pytest.raises(error):
        await client.embeddings.create(**{"model": "words", "input": "x", **change})


async def test_a_language_model_that_is_away_is_an_error_of_the_server() -> None:
    """Also in the midst of a stream, after what there was."""
    away = MemoryLanguageModel(LanguageModelUnavailable("it is away"))
    async with serving(world=await world(language_model=away)) as api, opened(api) as client:
        with pytest.raises(InternalServerError, match="it is away"):
            await client.chat.completions.create(model="factflow", messages=QUESTION)
    async with serving(world=await world(language_model=Breaking())) as api, opened(api) as client:
        stream = await client.chat.completions.create(model="factflow", messages=QUESTION, stream=True)
        told: list[str] = []
        with pytest.raises(APIError, match="broke off"):
            await _read(stream, told)
        assert "".join(told) == "Forty thousand"


async def _read(stream: AsyncStream[ChatCompletionChunk], told: list[str]) -> None:
    """Collect the pieces into a list that survives an error."""
    async for chunk in stream:
        told.append(chunk.choices[0].delta.content or "")  # noqa: PERF401
