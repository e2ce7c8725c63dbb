"""The pipeline adapters that embed and index segments."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec
import pytest

from adapters.memory.models import MemoryEmbeddingModel
from adapters.pipeline.embedding_generator import EmbeddingGenerator, EmbeddingGeneratorConfig, embedded_text
from adapters.pipeline.segment_payload import (
    DocumentPart,
    SegmentPart,
    SegmentPayload,
    UnreadableSegmentMessage,
    UnusableVector,
)
from adapters.pipeline.segment_writer import SegmentWriter, SegmentWriterConfig
from application.embedding_models import EmbeddingModels, EmbeddingSlotNotFound
from application.ports.pipeline_adapter import AdapterResult, PipelineContext, Stage
from domain.document import EmbeddedSegment
from domain.errors import Invalid, Unavailable
from domain.json import Json, JsonObject


class NoStage:
    async def keep(self, stage: str, content: bytes, **_: object) -> str:
        raise AssertionError("nothing is kept here")

    async def kept(self, stage: str, *, extension: str = "") -> bytes | None:
        return None


class CountingModel(MemoryEmbeddingModel):
    """Keeps the batches it was given; can be made to fail or to give odd vectors."""

    def __init__(self) -> None:
        super().__init__(dimension=8)
        self.batches: list[Sequence[str]] = []
        self.failure: Exception | None = None
        self.vector: Sequence[float] | None = None

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.batches.append(texts)
        await asyncio.sleep(0.001)
        if self.failure is not None:
            raise self.failure
        return [self.vector] * len(texts) if self.vector is not None else await super().embed(texts)


class CountingIndex:
    """Takes segments down; refuses those whose text is ``bad``."""

    def __init__(self) -> None:
        self.batches: list[Sequence[EmbeddedSegment]] = []

    async def index(self, segments: Sequence[EmbeddedSegment]) -> None:
        if any(segment.segment.text == "bad" for segment in segments):
            raise Invalid("bad")
        self.batches.append(segments)
        await asyncio.sleep(0.001)


def context(message: JsonObject) -> PipelineContext:
    stage: Stage = NoStage()
    return PipelineContext(
        message=message,
        metadata={},
        execution_id=UUID(int=1),
        route_id="route",
        message_id=uuid4(),
        correlation_id=UUID(int=2),
        attempt=1,
        stage=stage,
    )


def vector_of(result: AdapterResult | None) -> list[float]:
    assert result is not None
    return msgspec.convert(result.message["vector"], list[float])


def message(text: str = "A wing.", **more: Json) -> dict[str, Json]:
    return {
        "document": {"id": "d", "version": 3, "title": "Flight", "url": "u", "language": "en"},
        "segment": {"ordinal": 0, "text": text, "start": 5, "end": 5 + len(text), "heading_path": ["Wings"]},
        "segment_id": str(UUID(int=9)),
        **more,
    }


def generator(model: CountingModel, batch_size: int = 16) -> EmbeddingGenerator:
    return EmbeddingGenerator(EmbeddingGeneratorConfig(batch_size=batch_size), EmbeddingModels(own=model))


async def test_a_segment_gets_its_vector_and_keeps_the_rest() -> None:
    model = CountingModel()
    result = await generator(model).process(context(message()))
    assert result is not None
    assert math.hypot(*vector_of(result)) == pytest.approx(1.0)
    assert result.message["model_name"] == "words"
    assert result.message["document"] == message()["document"]
    assert result.emitted is None
    assert model.batches == [["Flight > Wings\nA wing."]]


def several(*texts: str, **more: Json) -> dict[str, Json]:
    one = message()
    segments: list[Json] = [
        {"ordinal": n, "text": text, "start": 0, "end": len(text), "segment_id": str(UUID(int=n + 1))}
        for n, text in enumerate(texts)
    ]
    return {"document": one["document"], "segments": segments, **more}


async def test_several_segments_of_a_message_get_a_vector_each() -> None:
    """In their order, embedded together with those of other messages."""
    model = CountingModel()
    adapter = generator(model, batch_size=5)
    first, second = await asyncio.gather(
        adapter.process(context(several("a", "b", "c"))), adapter.process(context(several("d", "e")))
    )
    assert [len(batch) for batch in model.batches] == [5]
    assert first is not None
    assert second is not None
    vectors = await model.embed([f"Flight\n{text}" for text in "abcde"])
    assert [*first.message["vectors"], *second.message["vectors"]] == vectors  # type: ignore[misc]
    assert first.message["segments"] == several("a", "b", "c")["segments"]


async def test_messages_in_flight_share_batches() -> None:
    """And each gets its own vector."""
    model = CountingModel()
    adapter = generator(model)
    texts = [f"text {number}" for number in range(40)]
    results = await asyncio.gather(*(adapter.process(context(message(text))) for text in texts))
    assert [len(batch) for batch in model.batches] == [16, 16, 8]
    for text, result in zip(texts, results, strict=True):
        assert vector_of(result) == list((await model.embed([f"Flight > Wings\n{text}"]))[0])


async def test_a_cancelled_message_does_not_harm_its_neighbours() -> None:
    adapter = generator(CountingModel())
    tasks = [asyncio.create_task(adapter.process(context(message(f"text {number}")))) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[0] is not None
    assert results[2] is not None


async def test_an_outage_reaches_every_message_as_it_is() -> None:
    """So that the engine tries them again without using up retries."""
    model = CountingModel()
    model.failure = Unavailable("away")
    adapter = generator(model)
    results = await asyncio.gather(
        *(adapter.process(context(message())) for _ in range(3)), return_exceptions=True
    )
    assert {type(result) for result in results} == {Unavailable}


@pytest.mark.parametrize("vector", [[1.0] * 7, [math.nan] * 8, [math.inf, -math.inf, *[0.0] * 6]])
async def test_a_vector_that_cannot_be_used_is_an_error(vector: Sequence[float]) -> None:
    model = CountingModel()
    model.vector = vector
    with pytest.raises(UnusableVector):
        await generator(model).process(context(message()))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"segment": {"text": 5}},
        {"segment_id": "x"},
        {"document": {"id": "d"}},
        {"segment": None},
        {"document": []},
        {"segments": []},
        {"segments": [{"ordinal": 0, "text": "x", "start": 0, "end": 1}]},
    ],
)
async def test_a_message_without_a_segment_is_refused(wrong: dict[str, Json]) -> None:
    bad = {**message(), **wrong} if wrong else {}
    with pytest.raises(UnreadableSegmentMessage):
        await generator(CountingModel()).process(context(bad))


def payload(text: str, title: str, path: tuple[str, ...]) -> SegmentPayload:
    return SegmentPayload(
        document=DocumentPart(id="d", version=1, title=title),
        segment=SegmentPart(ordinal=0, text=text, start=0, end=len(text), heading_path=path),
        segment_id=UUID(int=1),
    )


@pytest.mark.parametrize(
    ("text", "title", "path", "embedded"),
    [
        ("Text.", "", (), "Text."),
        ("Text.", "Title", (), "Title\nText."),
        ("Text.", "Title", ("Title", "Part"), "Title > Part\nText."),
        ("# Title\n\n## Part\n\nText.", "Title", ("Title", "Part"), "# Title\n\n## Part\n\nText."),
        ("## Part ##\nText.", "Title", ("Title", "Part"), "Title\n## Part ##\nText."),
        ("Text.", " ", ("", "Part"), "Part\nText."),
    ],
)
def test_a_segment_is_embedded_with_where_it_stands(
    text: str, title: str, path: tuple[str, ...], embedded: str
) -> None:
    """Headings that stand in it already are not repeated."""
    assert embedded_text(payload(text, title, path)) == embedded


def embedded(text: str = "A wing.", **more: Json) -> dict[str, Json]:
    return {**message(text), "vector": [1.0, *[0.0] * 7], "model_name": "words", **more}


def writer(index: CountingIndex) -> SegmentWriter:
    return SegmentWriter(SegmentWriterConfig(), index, EmbeddingModels(own=CountingModel()))  # type: ignore[arg-type]


async def test_an_embedded_segment_is_indexed_and_nothing_is_emitted() -> None:
    index = CountingIndex()
    result = await writer(index).process(context(embedded()))
    assert result is not None
    assert result.emitted == ()
    ((indexed,),) = index.batches
    assert (indexed.id, indexed.document_id, indexed.version) == (UUID(int=9), "d", 3)
    assert (indexed.segment.text, indexed.segment.heading_path) == ("A wing.", ("Wings",))
    assert (indexed.execution_id, indexed.lineage_id) == (UUID(int=1), UUID(int=2))


async def test_several_embedded_segments_are_indexed_together() -> None:
    index = CountingIndex()
    result = await writer(index).process(
        context(several("a", "b", vectors=[[1.0, *[0.0] * 7], [0.0, 1.0, *[0.0] * 6]], model_name="words"))
    )
    assert result is not None
    assert result.message == {"document_id": "d", "segments": 2}
    (batch,) = index.batches
    assert [(one.id, one.segment.ordinal, one.vector[0]) for one in batch] == [
        (UUID(int=1), 0, 1.0),
        (UUID(int=2), 1, 0.0),
    ]


@pytest.mark.parametrize(
    "vectors", [[[1.0, *[0.0] * 7]], [[1.0, *[0.0] * 7], [math.nan] * 8], [[1.0], [1.0]], None]
)
async def test_vectors_that_do_not_fit_their_segments_are_not_written(vectors: Json) -> None:
    index = CountingIndex()
    with pytest.raises(Invalid):
        await writer(index).process(context(several("a", "b", vectors=vectors, model_name="words")))
    assert index.batches == []


async def test_segments_of_messages_in_flight_are_written_together_and_a_bad_one_fails_alone() -> None:
    index = CountingIndex()
    adapter = writer(index)
    texts = ["one", "two", "bad", "four"]
    results = await asyncio.gather(
        *(adapter.process(context(embedded(text))) for text in texts), return_exceptions=True
    )
    assert [isinstance(result, Invalid) for result in results] == [False, False, True, False]
    assert sorted(segment.segment.text for batch in index.batches for segment in batch) == [
        "four",
        "one",
        "two",
    ]


@pytest.mark.parametrize("vector", [[1.0], [math.nan] * 8, [], None, ["x"] * 8])
async def test_a_vector_that_does_not_fit_the_slot_is_not_written(vector: Json) -> None:
    index = CountingIndex()
    with pytest.raises(Invalid):
        await writer(index).process(context(embedded(vector=vector)))
    assert index.batches == []


async def test_segments_are_embedded_into_the_slot_that_is_named() -> None:
    """By the config, else by the message, else into the server's own; the message then says which model it was."""
    narrow = MemoryEmbeddingModel(model_name="narrow", dimension=4)
    models = EmbeddingModels(own=CountingModel(), others=[narrow])
    configured = EmbeddingGenerator(EmbeddingGeneratorConfig(model_name="narrow"), models)
    plain = EmbeddingGenerator(EmbeddingGeneratorConfig(), models)
    asked = [
        (configured, message(), "narrow", 4),
        (configured, message(model_name="words"), "narrow", 4),
        (plain, message(model_name="narrow"), "narrow", 4),
        (plain, message(), "words", 8),
    ]
    for made_by, given, slot, dimension in asked:
        result = await made_by.process(context(given))
        assert result is not None
        assert (result.message["model_name"], len(vector_of(result))) == (slot, dimension)
        assert result.message["model_identity"] == f"hashed-words/{dimension}/256"


async def test_a_slot_without_a_model_ends_the_message() -> None:
    """At once: trying again would not help."""
    with pytest.raises(EmbeddingSlotNotFound):
        await generator(CountingModel()).process(context(message(model_name="wide")))
