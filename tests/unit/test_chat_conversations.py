"""Speaking in threads: what is said is kept, whoever goes away and whatever breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.documents import FormatDocumentReader
from adapters.memory.chat_threads import ChatStore, MemoryChatMessages, MemoryChatThreads
from adapters.memory.corpus import Corpus
from adapters.memory.models import MemoryEmbeddingModel, MemoryLanguageModel, MemoryTokenizer
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.memory.storage import MemoryObjectStorage
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.chat import Chat
from application.chat_conversations import Asked, Conversations
from application.chat_prompts import Prompting
from application.chat_runs import AnswerRuns
from application.chat_threads import Threads, ThreadStore
from application.chat_titles import Titles
from application.embedding_models import EmbeddingModels
from application.ports.language_model import LanguageModel
from application.search import Search
from domain.access.errors import ScopeMissing
from domain.chat.answer import AnswerDone, ChatEvent, SourcesFound, TextWritten
from domain.chat.errors import (
    AnswerFailed,
    AnswerInterrupted,
    AnswerStreamNotFound,
    LanguageModelUnavailable,
)
from domain.chat.places import Place
from domain.chat.request import ChatRequest, ContextMode
from domain.chat.thread import (
    InvalidThread,
    Message,
    MessageNotAnAnswer,
    MessageStatus,
    Thread,
    ThreadBusy,
    ThreadNotFound,
    TitleOrigin,
    question_title,
    tidy_title,
)
from domain.chat.usage import TokenUsage
from domain.errors import FactflowError, Unavailable
from tests.unit.chat_texts import AlwaysWriting


def request(query: str) -> ChatRequest:
    return ChatRequest(query=query, context_mode=ContextMode.NONE)


def anybody(_: ChatRequest) -> None:
    """Lets everybody ask."""


def nobody(_: ChatRequest) -> None:
    """Lets nobody ask."""
    raise ScopeMissing


@dataclass
class Flaky(MemoryChatMessages):
    """Messages in memory, whose store is away as often as told."""

    away: int = 0

    async def save(self, message: Message) -> bool:
        if message.status is not MessageStatus.WRITING and self.away:
            self.away -= 1
            raise Unavailable("the store is away")
        return await MemoryChatMessages.save(self, message)


@dataclass
class Desk:
    """A conversation and what is behind it."""

    conversations: Conversations
    store: ChatStore
    messages: Flaky

    @property
    def threads(self) -> Threads:
        return self.conversations.threads

    async def opened(self, owner: str = "ada") -> Thread:
        return await self.threads.create(owner=owner)

    async def said(self, thread: Thread, query: str, **more: UUID) -> Asked:
        """A question with its whole answer."""
        asked = await self.conversations.ask(thread.id, request(query), owner=thread.owner, **more)
        await asked.run.ended()
        return asked

    async def path(self, thread: Thread, leaf: UUID | None = None) -> list[str]:
        page = await self.conversations.messages(thread.id, owner=thread.owner, limit=99, leaf=leaf)
        return [message.content for message in page]

    async def read(self, asked: Asked, after: Place | None = None) -> list[tuple[Place, ChatEvent]]:
        answer = asked.answer
        events = self.conversations.read(answer.thread_id, answer.id, owner="ada", after=after)
        return [event async for event in events]


@asynccontextmanager
async def speaking(model: LanguageModel, *, away: int = 0, **bounds: float) -> AsyncIterator[Desk]:
    corpus = Corpus()
    search = Search(index=MemorySegmentIndex(corpus), models=EmbeddingModels(own=MemoryEmbeddingModel()))
    chat = Chat(
        search=search,
        storage=MemoryObjectStorage(),
        reader=FormatDocumentReader(),
        prompting=Prompting(tokenizer=MemoryTokenizer()),
        language_model=model,
    )
    store, ids, clock = ChatStore(), SystemIdSource(), SystemClock()
    messages = Flaky(store, away=away)
    transient = ChatStore()
    threads = Threads(
        persistent=ThreadStore(threads=MemoryChatThreads(store), messages=messages),
        transient=ThreadStore(threads=MemoryChatThreads(transient), messages=MemoryChatMessages(transient)),
        clock=clock,
        ids=ids,
    )
    async with AnswerRuns(chat=chat, clock=clock, ids=ids, **bounds) as runs:
        titles = Titles(threads=threads, language_model=None)
        yield Desk(Conversations(threads=threads, runs=runs, titles=titles), store, messages)


async def until(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.005)


async def test_a_conversation_is_kept_and_goes_on() -> None:
    """The model is told what was said before; the thread is called by its first question."""
    model = MemoryLanguageModel("First.", "Second.")
    async with speaking(model) as place:
        thread = await place.opened()
        await place.said(thread, "What comes first?")
        asked = await place.said(thread, "And then?")
        assert await place.path(thread) == ["What comes first?", "First.", "And then?", "Second."]
        told = [message.content for message in model.asked[-1][0]]
        assert told[1:] == ["What comes first?", "First.", "And then?"]
        kept, _ = await place.threads.get(thread.id, owner="ada")
        assert (kept.title, kept.title_origin) == ("What comes first?", TitleOrigin.QUESTION)
        assert (kept.messages, kept.head_id) == (4, asked.answer.id)
        answer = await place.conversations.message(thread.id, asked.answer.id, owner="ada")
        assert answer.answer is not None
        assert isinstance(answer.answer.usage, TokenUsage)


async def test_who_reads_is_told_as_it_comes_and_who_comes_back_what_is_missing() -> None:
    """From any place on, from memory and from the store, in whatever pieces it came."""
    async with speaking(MemoryLanguageModel("One two three four five.", piece=4)) as place:
        asked = await place.said(await place.opened(), "Count!")
        live = await place.read(asked)
        assert [type(event) for _, event in live[:2]] == [SourcesFound, TextWritten]
        assert isinstance(live[-1][1], AnswerDone)
        for place_now, _ in live:
            assert (
                await text_after(place, asked, place_now)
                == "One two three four five."[place_now.characters :]
            )
        place.conversations.runs._runs.clear()
        for characters in range(25):
            rest = await text_after(place, asked, Place(characters))
            assert rest == "One two three four five."[characters:]
        assert await place.read(asked, after=live[-1][0]) == []


async def text_after(place: Desk, asked: Asked, after: Place) -> str:
    events = [event for _, event in await place.read(asked, after)]
    return "".join(event.content for event in events if isinstance(event, TextWritten))


async def test_an_answer_is_finished_when_everybody_has_gone() -> None:
    model = AlwaysWriting()
    async with speaking(model, resume_seconds=0.01) as place:
        thread = await place.opened()
        asked = await place.conversations.ask(thread.id, request("Long?"), owner="ada")
        async with aclosing(asked.run.read()) as events:
            async for _, event in events:
                if isinstance(event, TextWritten):
                    break
        await asyncio.sleep(0.05)
        model.enough.set()
        await asked.run.ended()
        kept = await place.conversations.message(thread.id, asked.answer.id, owner="ada")
        assert (kept.status, kept.content) == (MessageStatus.COMPLETE, model.written)


async def test_an_answer_that_nobody_keeps_is_given_up_when_nobody_reads_it() -> None:
    """But not as long as somebody does, and not at once."""
    model = AlwaysWriting()
    async with speaking(model, resume_seconds=0.05, kept_seconds=0.05) as place:
        runs = place.conversations.runs
        run = runs.start(request("Long?"), owner="ada")
        async with aclosing(run.read()) as events:
            async for _ in events:
                if len(model.written) > 200:
                    break
        await until(lambda: run.is_over)
        assert isinstance(run.error, AnswerInterrupted)
        with pytest.raises(AnswerStreamNotFound):
            runs.get(run.id, owner="bob")
        await until(lambda: run.id not in runs._runs)
        with pytest.raises(AnswerStreamNotFound):
            runs.get(run.id, owner="ada")


async def test_stopping_keeps_what_there_is_of_an_answer() -> None:
    model = AlwaysWriting()
    async with speaking(model) as place:
        thread = await place.opened()
        asked = await place.conversations.ask(thread.id, request("Long?"), owner="ada")
        await until(lambda: len(asked.run.events) > 3)
    kept = await place.messages.get(thread.id, asked.answer.id)
    assert kept.status is MessageStatus.INTERRUPTED
    assert len(kept.content) > 2
    with pytest.raises(AnswerInterrupted):
        await place.read(asked)


async def test_an_answer_whose_writer_was_killed_counts_as_interrupted() -> None:
    """And the thread goes on after it."""
    async with speaking(MemoryLanguageModel("So.")) as place:
        thread = await place.opened()
        asked = await place.said(thread, "What?")
        there = place.store.messages[thread.id]
        half = replace(there[asked.answer.id], status=MessageStatus.WRITING, content="Ha")
        there[half.id] = half
        with pytest.raises(ThreadBusy):
            await place.said(thread, "More?")
        there[half.id] = replace(half, updated_at=half.updated_at - timedelta(minutes=1))
        seen = await place.conversations.message(thread.id, half.id, owner="ada")
        assert seen.status is MessageStatus.INTERRUPTED
        await place.said(thread, "More?")
        assert await place.path(thread) == ["What?", "Ha", "More?", "So."]


async def test_an_answer_that_another_process_writes_is_read_until_its_end() -> None:
    async with speaking(MemoryLanguageModel("One two.")) as place:
        thread = await place.opened()
        asked = await place.said(thread, "What?")
        whole = place.store.messages[thread.id][asked.answer.id]
        assert whole.answer is not None
        there = place.store.messages[thread.id]
        there[whole.id] = replace(
            whole, status=MessageStatus.WRITING, answer=replace(whole.answer, text="One")
        )
        place.conversations.runs._runs.clear()
        reading = asyncio.create_task(place.read(asked))
        await asyncio.sleep(0.1)
        there[whole.id] = whole
        events = [event for _, event in await reading]
        assert "".join(event.content for event in events if isinstance(event, TextWritten)) == "One two."
        assert isinstance(events[-1], AnswerDone)


async def test_a_failure_is_kept_with_the_question_and_told_to_every_reader() -> None:
    model = MemoryLanguageModel(LanguageModelUnavailable("it is away"), "Now.")
    async with speaking(model) as place:
        thread = await place.opened()
        asked = await place.conversations.ask(thread.id, request("What?"), owner="ada")
        with pytest.raises(LanguageModelUnavailable):
            await asked.run.ended()
        kept = await place.conversations.message(thread.id, asked.answer.id, owner="ada")
        assert kept.status is MessageStatus.FAILED
        assert kept.error == {"code": "language_model_unavailable", "message": "it is away"}
        place.conversations.runs._runs.clear()
        with pytest.raises(AnswerFailed, match="it is away"):
            await place.read(asked)
        again = await place.conversations.regenerate(thread.id, asked.answer.id, owner="ada", permit=anybody)
        assert (await again.run.ended()).text == "Now."
        assert await place.path(thread) == ["What?", "Now."]


async def test_an_answer_is_kept_when_the_store_comes_back() -> None:
    async with speaking(MemoryLanguageModel("So."), away=2) as place:
        thread = await place.opened()
        asked = await place.conversations.ask(thread.id, request("What?"), owner="ada")
        await asked.run.ended()
        kept = await place.conversations.message(thread.id, asked.answer.id, owner="ada")
        assert (kept.status, kept.content) == (MessageStatus.COMPLETE, "So.")


async def test_a_question_is_answered_anew_beside_the_old_answer() -> None:
    """As it was asked, and after what was said before it."""
    model = MemoryLanguageModel("A.", "B.", "C.", "D.")
    async with speaking(model) as place:
        thread = await place.opened()
        first = await place.said(thread, "One?")
        second = await place.said(thread, "Two?")
        again = await place.conversations.regenerate(thread.id, second.answer.id, owner="ada", permit=anybody)
        await again.run.ended()
        assert await place.path(thread) == ["One?", "A.", "Two?", "C."]
        assert await place.path(thread, leaf=second.answer.id) == ["One?", "A.", "Two?", "B."]
        assert [message.content for message in model.asked[-1][0]][1:] == ["One?", "A.", "Two?"]
        hotter = replace(request("ignored"), temperature=1.5)
        other = await place.conversations.regenerate(
            thread.id, first.answer.id, owner="ada", permit=anybody, request=hotter
        )
        await other.run.ended()
        messages, options = model.asked[-1]
        assert (messages[-1].content, options.temperature) == ("One?", 1.5)
        assert await place.path(thread) == ["One?", "D."]
        with pytest.raises(MessageNotAnAnswer):
            await place.conversations.regenerate(thread.id, first.question.id, owner="ada", permit=anybody)


async def test_a_question_that_may_not_be_asked_any_more_is_not_answered_anew() -> None:
    """Nothing is begun, and the thread can be spoken in as before."""
    async with speaking(MemoryLanguageModel("A.", "B.")) as place:
        thread = await place.opened()
        first = await place.said(thread, "One?")
        with pytest.raises(ScopeMissing):
            await place.conversations.regenerate(thread.id, first.answer.id, owner="ada", permit=nobody)
        await place.said(thread, "Two?")
        assert await place.path(thread) == ["One?", "A.", "Two?", "B."]
        assert len(await place.conversations.all_messages(thread.id, owner="ada", limit=9)) == 4


async def test_a_question_may_follow_an_earlier_answer() -> None:
    async with speaking(MemoryLanguageModel("A.", "B.", "C.")) as place:
        thread = await place.opened()
        first = await place.said(thread, "One?")
        await place.said(thread, "Two?")
        other = await place.said(thread, "Other?", parent_id=first.answer.id)
        assert await place.path(thread) == ["One?", "A.", "Other?", "C."]
        with pytest.raises(InvalidThread):
            await place.said(thread, "What?", parent_id=other.question.id)
        everything = await place.conversations.all_messages(thread.id, owner="ada", limit=99)
        assert len(everything) == 6


async def test_a_thread_is_branched_from_an_answer_or_before_a_question() -> None:
    async with speaking(MemoryLanguageModel("A.", "B.", "C.")) as place:
        thread = await place.opened()
        first = await place.said(thread, "One?")
        second = await place.said(thread, "Two?")
        branch = await place.threads.branch(thread.id, first.answer.id, owner="ada", title="Else")
        assert (branch.title, branch.origin) == ("Else", (thread.id, first.answer.id))
        await place.said(branch, "Three?")
        assert await place.path(branch) == ["One?", "A.", "Three?", "C."]
        assert await place.path(thread) == ["One?", "A.", "Two?", "B."]
        before = await place.threads.branch(thread.id, second.question.id, owner="ada")
        assert await place.path(before) == ["One?", "A."]
        empty = await place.threads.branch(thread.id, first.question.id, owner="ada")
        assert (await place.path(empty), empty.messages) == ([], 0)


async def test_of_two_questions_at_once_one_is_told_to_wait() -> None:
    async with speaking(MemoryLanguageModel("So.")) as place:
        thread = await place.opened()
        tried = await asyncio.gather(
            *(place.conversations.ask(thread.id, request(f"{n}?"), owner="ada") for n in range(5)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, ThreadBusy) for one in tried) == 4


async def test_somebody_elses_thread_is_not_there() -> None:
    async with speaking(MemoryLanguageModel("So.")) as place:
        thread = await place.opened()
        asked = await place.said(thread, "A secret?")
        conversations, threads = place.conversations, place.threads
        acts: Sequence[Awaitable[object]] = (
            threads.get(thread.id, owner="bob"),
            threads.rename(thread.id, owner="bob", title="x"),
            threads.branch(thread.id, asked.answer.id, owner="bob"),
            conversations.ask(thread.id, request("x"), owner="bob"),
            conversations.regenerate(thread.id, asked.answer.id, owner="bob", permit=anybody),
            conversations.messages(thread.id, owner="bob", limit=9),
            conversations.all_messages(thread.id, owner="bob", limit=9),
            conversations.message(thread.id, asked.answer.id, owner="bob"),
            anext(conversations.read(thread.id, asked.answer.id, owner="bob")),
            conversations.titles.generate(thread.id, owner="bob"),
            threads.remove(thread.id, owner="bob"),
        )
        for act in acts:
            with pytest.raises(ThreadNotFound):
                await act
        assert await threads.find("secret", owner="bob", limit=9) == []
        assert len(await threads.find("secret", owner="ada", limit=9)) == 1


async def test_removing_a_thread_gives_up_its_answer() -> None:
    model = AlwaysWriting()
    async with speaking(model) as place:
        thread = await place.opened()
        asked = await place.conversations.ask(thread.id, request("Long?"), owner="ada")
        await until(lambda: len(asked.run.events) > 2)
        await place.threads.remove(thread.id, owner="ada")
        await until(lambda: asked.run.is_over)


async def test_transient_threads_stand_apart() -> None:
    async with speaking(MemoryLanguageModel("So.")) as place:
        thread = await place.threads.create(owner="ada", is_transient=True)
        await place.said(thread, "What?")
        assert await place.path(thread) == ["What?", "So."]
        assert (await place.threads.list(owner="ada", limit=9))[1] == 0
        assert (await place.threads.list(owner="ada", limit=9, is_transient=True))[1] == 1
        assert place.store.threads == {}
        await place.threads.remove(thread.id, owner="ada")
        with pytest.raises(ThreadNotFound):
            await place.threads.get(thread.id, owner="ada")


@pytest.mark.parametrize("query", ["", "  ", "?!", "x" * 1_001])
async def test_a_search_needs_words(query: str) -> None:
    async with speaking(MemoryLanguageModel("So.")) as place:
        with pytest.raises(InvalidThread):
            await place.threads.find(query, owner="ada", limit=9)


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ('"Lift of Wings."\n', "Lift of Wings"),
        ("\n\n## **Title: x**", "Title: x"),
        ("Title: Wings", "Wings"),
        (" \n", None),
        ('""', None),
        ("w" * 300, "w" * 60),
    ],
)
def test_a_title_is_what_a_model_wrote_without_its_decoration(written: str, title: str | None) -> None:
    assert tidy_title(written) == title


def test_a_title_made_of_a_question_ends_at_a_word() -> None:
    assert question_title("What  is\nlift?") == "What is lift?"
    assert question_title("word " * 40) == "word " * 11 + "word …"


async def test_a_language_model_names_a_thread_unless_its_owner_did() -> None:
    async def titled(*answers: str | FactflowError, given: bool = False) -> tuple[str, TitleOrigin]:
        model = MemoryLanguageModel(*answers)
        async with speaking(model) as place:
            titles = Titles(threads=place.threads, language_model=model)
            place.conversations = replace(place.conversations, titles=titles)
            thread = await place.opened()
            if given:
                await place.threads.rename(thread.id, owner="ada", title="Mine")
            await place.said(thread, "What is lift?")
            await until(lambda: len(model.asked) == 2)
            await asyncio.sleep(0.01)
            kept, _ = await place.threads.get(thread.id, owner="ada")
            return kept.title, kept.title_origin

    assert await titled("Lift.", '"Lift of wings"') == ("Lift of wings", TitleOrigin.GENERATED)
    assert await titled("Lift.", "Lift of wings", given=True) == ("Mine", TitleOrigin.GIVEN)
    assert await titled("Lift.", Unavailable()) == ("What is lift?", TitleOrigin.QUESTION)


async def test_a_title_can_be_asked_for() -> None:
    async with speaking(MemoryLanguageModel("Lift.")) as place:
        thread = await place.opened()
        titles = place.conversations.titles
        assert (await titles.generate(thread.id, owner="ada")).title_origin is TitleOrigin.NONE
        await place.said(thread, "What is lift?")
        await place.threads.rename(thread.id, owner="ada", title="Mine")
        assert (await titles.generate(thread.id, owner="ada")).title == "What is lift?"
        better = replace(titles, language_model=MemoryLanguageModel("On Lift"))
        assert (await better.generate(thread.id, owner="ada")).title == "On Lift"
