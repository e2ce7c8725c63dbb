"""Answering questions from sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from adapters.documents import FormatDocumentReader
from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.models import MemoryEmbeddingModel, MemoryLanguageModel, MemoryTokenizer
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.memory.storage import MemoryObjectStorage
from adapters.memory.templates import MemoryTemplates
from application.chat import Chat
from application.chat_prompt_templates import PromptTemplates
from application.chat_prompts import Prompting
from application.embedding_models import EmbeddingModels, EmbeddingSlotNotFound
from application.ports.language_model import LanguageModel
from application.search import Search
from domain.chat import prompt
from domain.chat.answer import AnswerDone, AnswerMode, ChatEvent, SourceCited, SourcesFound, TextWritten
from domain.chat.errors import InvalidChatRequest, LanguageModelUnavailable, NoLanguageModel
from domain.chat.prompt_template import PromptTemplateUnfit
from domain.chat.request import (
    ChatRequest,
    ContextMode,
    DataSource,
    RagConfig,
    Reading,
    RetrievalStrategy,
    Turn,
)
from domain.chat.retrieval import metadata_filter
from domain.document import Document, EmbeddedSegment, EmptyDocument, Segment, UnsupportedDocument, segment_id
from domain.storage import InvalidKey, ObjectNotFound
from domain.templates.parameters import Parameter, ParameterType
from domain.templates.template import Template, TemplateKind, TemplateNotFound

TEXTS = {
    "vacuum": "VACUUM reclaims the storage occupied by dead tuples. It may run while others read.",
    "partial": "A partial index is an index built over a subset of a table. It is small and quick to read.",
    "bread": "Sourdough bread rises slowly because of wild yeast. Bake it in a very hot oven.",
    "lift": "The lift of a wing grows with the angle of attack. Beyond the stall it falls steeply.",
}


async def chat(
    language_model: LanguageModel | None = None, texts: dict[str, str] = TEXTS, context_tokens: int = 8_000
) -> Chat:
    model = MemoryEmbeddingModel(dimension=256)
    corpus = Corpus()
    documents, index = MemoryDocuments(corpus), MemorySegmentIndex(corpus)
    for name, text in texts.items():
        document = Document(
            document_id=name,
            origin="manual",
            title=name.title(),
            url=f"https://x/{name}",
            fingerprint="1",
            version=1,
        )
        opened = await documents.begin(document, expected=1)
        segment = Segment(
            ordinal=0, text=text, start=100, end=100 + len(text), heading_path=("Guide",), page=3
        )
        embedded = EmbeddedSegment(
            id=segment_id(name, text, 0),
            document_id=name,
            version=opened.version,
            segment=segment,
            model_name=model.model_name,
            vector=(await model.embed([text]))[0],
            lineage_id=UUID(int=7),
        )
        await index.index([embedded])
    storage = MemoryObjectStorage()
    await storage.write("docs/wing.md", b"# Wing\n\nThe wing of this aeroplane has a span of forty metres.")
    await storage.write("docs/tail.txt", b"The tail of this aeroplane has a height of nine metres.")
    await storage.write("docs/blob", b"\xff\xfe\x00\x80")
    await storage.write("docs/empty.txt", b"  ")
    return Chat(
        search=Search(index=index, models=EmbeddingModels(own=model)),
        storage=storage,
        reader=FormatDocumentReader(),
        prompting=Prompting(tokenizer=MemoryTokenizer(), context_tokens=context_tokens),
        language_model=language_model,
    )


async def events(chat: Chat, request: ChatRequest) -> Sequence[ChatEvent]:
    return [event async for event in chat.stream(request)]


QUESTION = ChatRequest(query="What storage of dead tuples is it that VACUUM reclaims?")


async def test_without_a_language_model_the_sources_speak_and_the_answer_says_so() -> None:
    answer = await (await chat()).answer(QUESTION)
    assert answer.mode is AnswerMode.EXTRACTIVE
    assert answer.text.startswith("VACUUM reclaims the storage occupied by dead tuples [1].")
    assert answer.text.endswith(prompt.QUOTED_NOTICE)
    citation = answer.citations[0]
    assert citation.source.document_id == "vacuum"
    assert citation.source.segment_id == segment_id("vacuum", TEXTS["vacuum"], 0)
    assert (citation.source.title, citation.source.url) == ("Vacuum", "https://x/vacuum")
    assert (citation.source.heading_path, citation.source.page) == (("Guide",), 3)
    assert TEXTS["vacuum"][citation.start - 100 : citation.end - 100] == (
        "VACUUM reclaims the storage occupied by dead tuples."
    )


async def test_a_language_model_answers_from_numbered_sources() -> None:
    """Its markers are checked: what was not supplied is taken out and told."""
    model = MemoryLanguageModel("Storage of dead tuples [1][7].")
    answer = await (await chat(model)).answer(QUESTION)
    assert (answer.text, answer.unknown_markers) == ("Storage of dead tuples [1].", (7,))
    assert (answer.mode, answer.model) == (AnswerMode.GENERATIVE, "scripted")
    assert answer.citations[0].source.document_id == "vacuum"
    ((messages, _),) = model.asked
    assert messages[0].content == prompt.INSTRUCTIONS
    assert '<source id="1" title="Vacuum" section="Guide">' in messages[-1].content


@pytest.mark.parametrize("with_model", [True, False])
async def test_a_stream_tells_sources_then_text_and_citations_then_all(with_model: bool) -> None:
    """And says the same as the whole answer."""
    text = "Storage [1]. And tuples [9], read on [1]."
    asked = await chat(MemoryLanguageModel(text, piece=3) if with_model else None)
    first, *middle, last = await events(asked, QUESTION)
    answer = await asked.answer(QUESTION)
    assert isinstance(first, SourcesFound)
    assert first.sources == answer.sources
    assert isinstance(last, AnswerDone)
    assert last.answer == answer
    assert "".join(event.content for event in middle if isinstance(event, TextWritten)) == answer.text
    assert [event.citation for event in middle if isinstance(event, SourceCited)] == list(answer.citations)
    assert answer.citations


@pytest.mark.parametrize("with_model", [True, False])
async def test_when_nothing_is_found_it_says_that_it_does_not_know(with_model: bool) -> None:
    """The language model is not even asked."""
    model = MemoryLanguageModel("Paris.")
    asked = await chat(model if with_model else None)
    request = ChatRequest(query="zzz qqq xxx")
    answer = await asked.answer(request)
    assert (answer.text, answer.is_answered, answer.sources) == (prompt.NOTHING_FOUND, False, ())
    assert model.asked == []
    assert [type(event) for event in await events(asked, request)] == [SourcesFound, TextWritten, AnswerDone]


async def test_a_language_model_that_is_configured_but_away_is_an_error() -> None:
    """Never an extractive answer in its place."""
    asked = await chat(MemoryLanguageModel(LanguageModelUnavailable()))
    with pytest.raises(LanguageModelUnavailable):
        await asked.answer(QUESTION)
    with pytest.raises(LanguageModelUnavailable):
        await events(asked, QUESTION)


async def test_the_model_alone_needs_a_model() -> None:
    request = ChatRequest(query="Tell a joke about list[1].", context_mode=ContextMode.NONE)
    with pytest.raises(NoLanguageModel):
        await (await chat()).answer(request)
    with pytest.raises(NoLanguageModel):
        await events(await chat(), request)
    answer = await (await chat(MemoryLanguageModel("See list [1]."))).answer(request)
    assert (answer.text, answer.citations) == ("See list [1].", ())


async def test_attachments_are_numbered_in_the_order_given() -> None:
    request = ChatRequest(
        query="How high is the tail of the aeroplane?",
        context_mode=ContextMode.ATTACHMENT,
        attachments=("docs/wing.md", "docs/tail.txt"),
    )
    answer = await (await chat()).answer(request)
    assert [source.storage_key for source in answer.sources] == ["docs/wing.md", "docs/tail.txt"]
    assert "The tail of this aeroplane has a height of nine metres [2]." in answer.text


async def test_of_given_objects_only_the_nearest_passages_may_be_read() -> None:
    """Numbered in the order of the objects and of their text, with the headings they stand under."""
    sections = [f"# Part {n}\n\n" + f"Nothing but padding number {n} is here. " * 60 for n in range(30)]
    sections[17] = "# Tail\n\nThe tail has a height of nine metres. " + "It is painted in a dark red. " * 60
    asked = await chat(MemoryLanguageModel("Nine metres [1]."))
    await asked.storage.write("docs/long.md", "\n\n".join(sections).encode())
    request = ChatRequest(
        query="What height has the tail in metres?",
        context_mode=ContextMode.ATTACHMENT,
        attachments=("docs/long.md", "docs/tail.txt"),
        reading=Reading(is_whole=False, most_excerpts=2),
    )
    answer = await asked.answer(request)
    assert [source.storage_key for source in answer.sources] == ["docs/long.md", "docs/tail.txt"]
    citation = answer.citations[0]
    assert citation.source.heading_path == ("Tail",)
    assert "height of nine metres" in citation.passage
    whole = "\n\n".join(sections)
    assert whole[citation.start : citation.end] == citation.passage


async def test_sources_and_earlier_turns_fit_in_the_tokens_there_are() -> None:
    """A request may ask for fewer, not for more than the server allows."""
    model = MemoryLanguageModel("So.")
    asked = await chat(model, context_tokens=400)
    await asked.storage.write("docs/long.txt", b"word " * 5_000)
    history = tuple(Turn(role="user", content="before " * 60) for _ in range(9))
    for limit in (None, 250, 100_000):
        request = ChatRequest(
            query="What?",
            context_mode=ContextMode.DOCUMENT,
            document="docs/long.txt",
            history=history,
            context_tokens=limit,
        )
        answer = await asked.answer(request)
        messages, _ = model.asked[-1]
        spent = sum(len(message.content.split()) for message in messages[1:])
        assert 200 < spent <= min(limit or 400, 400) + 10
        assert answer.sources[0].is_cut


async def test_what_nothing_supports_is_flagged() -> None:
    text = "Storage of dead tuples is reclaimed [1]. The moon is made of green cheese. Yes."
    answer = await (await chat(MemoryLanguageModel(text))).answer(QUESTION)
    assert answer.is_supported
    assert [answer.text[start:end] for start, end in answer.uncited] == ["The moon is made of green cheese."]
    bare = await (await chat(MemoryLanguageModel("The moon is made of green cheese."))).answer(QUESTION)
    assert (bare.is_answered, bare.is_supported) == (True, False)


async def test_a_model_that_does_not_know_has_not_answered() -> None:
    answer = await (await chat(MemoryLanguageModel("I do not know."))).answer(QUESTION)
    assert (answer.is_answered, answer.is_supported, answer.uncited) == (False, False, ())


async def test_what_the_model_read_and_wrote_is_told() -> None:
    asked = await chat(MemoryLanguageModel("Storage [1]."))
    answer = await asked.answer(QUESTION)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
    assert answer.usage.prompt_tokens == answer.observed["prompt_tokens_estimated"]


async def test_a_document_is_answered_from_alone() -> None:
    request = ChatRequest(
        query="What is the span of the wing?", context_mode=ContextMode.DOCUMENT, document="docs/wing.md"
    )
    answer = await (await chat()).answer(request)
    assert "a span of forty metres [1]." in answer.text
    assert [source.title for source in answer.sources] == ["Wing"]


async def test_hybrid_puts_attachments_before_what_is_found() -> None:
    request = ChatRequest(
        query="What storage of dead tuples is it that VACUUM reclaims?",
        context_mode=ContextMode.HYBRID,
        attachments=("docs/wing.md",),
    )
    answer = await (await chat()).answer(request)
    assert [source.document_id or source.storage_key for source in answer.sources][:2] == [
        "docs/wing.md",
        "vacuum",
    ]
    assert "dead tuples [2]." in answer.text


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("docs/none.md", ObjectNotFound),
        ("../etc/passwd", InvalidKey),
        ("docs/blob", UnsupportedDocument),
        ("docs/empty.txt", EmptyDocument),
    ],
)
async def test_an_object_that_cannot_be_read_is_an_error(key: str, error: type[Exception]) -> None:
    request = ChatRequest(query="What?", context_mode=ContextMode.DOCUMENT, document=key)
    with pytest.raises(error):
        await (await chat()).answer(request)


async def test_a_threshold_that_is_given_is_obeyed() -> None:
    source = DataSource(similarity_threshold=0.99)
    answer = await (await chat()).answer(replace(QUESTION, rag=RagConfig(sources=(source,))))
    assert not answer.is_answered


async def test_a_source_may_be_restricted() -> None:
    async def found(**restriction: object) -> list[str | None]:
        source = DataSource(similarity_threshold=-1.0, **restriction)  # type: ignore[arg-type]
        request = ChatRequest(query="bread and index", rag=RagConfig(sources=(source,)))
        return [source.document_id for source in (await asked.answer(request)).sources]

    asked = await chat(MemoryLanguageModel("So."))
    assert await found(metadata_filters={"document_id": "bread"}) == ["bread"]
    assert await found(metadata_filters={"document_id": ["bread", "lift"]}, limit=1) == ["bread"]
    assert len(await found(name="manual")) == 4
    assert await found(metadata_filters={"origin": "elsewhere"}) == []
    with pytest.raises(EmbeddingSlotNotFound):
        await found(model_name="elsewhere")


@pytest.mark.parametrize("strategy", RetrievalStrategy)
async def test_several_sources_are_joined_without_repetition(strategy: RetrievalStrategy) -> None:
    restricted = DataSource(metadata_filters={"document_id": "bread"}, similarity_threshold=-1.0, weight=0.5)
    rag = RagConfig(
        sources=(DataSource(similarity_threshold=-1.0, limit=2), restricted),
        retrieval_strategy=strategy,
        max_context_items=3,
    )
    answer = await (await chat(MemoryLanguageModel("So."))).answer(replace(QUESTION, rag=rag))
    found = [source.document_id for source in answer.sources]
    assert len(found) == len(set(found)) <= 3
    assert found[0] == "vacuum"
    assert "bread" in found
    assert [source.number for source in answer.sources] == list(range(1, len(found) + 1))


async def test_a_short_question_is_searched_with_the_one_before_it() -> None:
    history = (
        Turn(role="user", content="What storage of dead tuples is it that VACUUM reclaims?"),
        Turn(role="assistant", content="Storage."),
    )
    model = MemoryLanguageModel("So.")
    answer = await (await chat(model)).answer(ChatRequest(query="And why?", history=history))
    assert answer.sources[0].document_id == "vacuum"
    ((messages, _),) = model.asked
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": ""},
        {"query": "  "},
        {"query": " \x01\x7f\ud800"},
        {"query": "x" * 10_001},
        {"history": (Turn(role="user", content="x"),) * 51},
        {"temperature": 3.0},
        {"temperature": float("nan")},
        {"max_tokens": 0},
        {"context_tokens": 199},
        {"context_mode": ContextMode.DOCUMENT},
        {"context_mode": ContextMode.ATTACHMENT},
        {"context_mode": ContextMode.HYBRID, "attachments": ("k",) * 21},
    ],
)
def test_a_request_that_cannot_be_right_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidChatRequest):
        ChatRequest(**{"query": "What?", **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "filters",
    [{"colour": "red"}, {"origin": 7}, {"document_id": [1]}, {"execution_id": "x"}, {"language": 4}],
)
def test_a_filter_that_segments_do_not_have_is_refused(filters: dict[str, object]) -> None:
    with pytest.raises(InvalidChatRequest):
        metadata_filter(filters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 51}, {"weight": 2.5}, {"weight": -1}, {"similarity_threshold": 1.5}]
)
def test_a_data_source_keeps_to_its_bounds(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidChatRequest):
        DataSource(**wrong)  # type: ignore[arg-type]


CITED = "Answer from these alone:\n{{ sources }}\nAnswer in {{ language }}: {{ question }}"
FILLED = (
    Parameter(name="question", is_required=True),
    Parameter(name="sources", type=ParameterType.LIST, is_required=True),
)
LANGUAGE = Parameter(name="language", default="Norwegian")


async def with_template(
    model: LanguageModel | None, text: str, *parameters: Parameter, kind: TemplateKind = TemplateKind.PROMPT
) -> Chat:
    """A chat beside the stored template ``mine``."""
    templates, now = MemoryTemplates(), datetime(2026, 1, 1, tzinfo=UTC)
    await templates.add(
        Template(
            id=UUID(int=1),
            name="mine",
            kind=kind,
            text=text,
            parameters=parameters,
            created_at=now,
            updated_at=now,
        )
    )
    asked = await chat(model)
    return replace(asked, prompting=replace(asked.prompting, templates=PromptTemplates(templates=templates)))


@pytest.mark.parametrize("is_default", [True, False])
async def test_a_prompt_is_written_from_the_template_that_is_named(is_default: bool) -> None:
    """By the request or else by the server; what fills a place is not looked through for places."""
    model = MemoryLanguageModel("Storage of dead tuples [1].")
    asked = await with_template(model, CITED, *FILLED, LANGUAGE)
    request = replace(QUESTION, query="Which storage of dead tuples does VACUUM reclaim, {{ language }}?")
    if is_default:
        templates = asked.prompting.templates
        assert templates is not None
        named = replace(templates, default="mine")
        asked = replace(asked, prompting=replace(asked.prompting, templates=named))
    else:
        request = replace(request, prompt_template="mine")
    answer = await asked.answer(replace(request, history=(Turn(role="user", content="Hello"),)))
    assert answer.citations[0].source.document_id == "vacuum"
    ((messages, _),) = model.asked
    assert [message.role for message in messages] == ["user", "user"]
    assert messages[-1].content.startswith('Answer from these alone:\n<source id="1" title="Vacuum"')
    assert messages[-1].content.endswith(f"Answer in Norwegian: {request.query}")


@pytest.mark.parametrize("with_model", [True, False])
@pytest.mark.parametrize("name", ["yours", "x" * 100, "a\0b", str(UUID(int=2))])
async def test_a_template_that_is_not_there_is_told_by_its_name(name: str, with_model: bool) -> None:
    asked = await with_template(MemoryLanguageModel("x") if with_model else None, CITED, *FILLED, LANGUAGE)
    with pytest.raises(TemplateNotFound, match="no prompt template"):
        await asked.answer(replace(QUESTION, prompt_template=name))
    with pytest.raises(TemplateNotFound):
        await events(asked, replace(QUESTION, prompt_template=name))


@pytest.mark.parametrize(
    ("text", "parameters", "objection"),
    [
        ("Be kind.", (), "no place for question; it has no place for sources"),
        ("{{ question }}", FILLED[:1], "no place for sources"),
        (CITED, (*FILLED, Parameter(name="language", is_required=True)), "language is required"),
        (
            "{{ question }} {{ sources }}",
            (replace(FILLED[0], type=ParameterType.INTEGER), FILLED[1]),
            "question must be a string",
        ),
        ("{{ question }} {{ sources }} {{sources}}", FILLED, "more than one place for sources"),
    ],
)
async def test_a_template_that_chat_cannot_fill_is_refused_with_the_reason(
    text: str, parameters: Sequence[Parameter], objection: str
) -> None:
    asked = await with_template(MemoryLanguageModel("x"), text, *parameters)
    with pytest.raises(PromptTemplateUnfit, match=objection):
        await asked.answer(replace(QUESTION, prompt_template="mine"))


@pytest.mark.parametrize(
    ("model", "mode"),
    [(None, ContextMode.RAG), (MemoryLanguageModel("Hello."), ContextMode.NONE)],
    ids=["extractive", "without sources"],
)
async def test_the_default_template_is_not_missed_where_no_prompt_has_sources(
    model: LanguageModel | None, mode: ContextMode
) -> None:
    """Only the server's operator can put it right, and the answer does not need it."""
    asked = await with_template(model, CITED, *FILLED, LANGUAGE)
    templates = PromptTemplates(templates=MemoryTemplates(), default="gone")
    asked = replace(asked, prompting=replace(asked.prompting, templates=templates))
    assert (await asked.answer(replace(QUESTION, context_mode=mode))).text
    with pytest.raises(TemplateNotFound):
        await asked.answer(replace(QUESTION, context_mode=mode, prompt_template="gone"))


async def test_a_pipeline_is_no_prompt() -> None:
    asked = await with_template(MemoryLanguageModel("x"), "a: b", kind=TemplateKind.PIPELINE)
    with pytest.raises(PromptTemplateUnfit, match="is a pipeline"):
        await asked.answer(replace(QUESTION, prompt_template="mine"))
