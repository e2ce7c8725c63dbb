"""What every ``ChatThreads`` with its ``ChatMessages`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.chat_threads import ChatStore, MemoryChatMessages, MemoryChatThreads
from adapters.postgres.chat_messages import PostgresChatMessages
from adapters.postgres.chat_threads import PostgresChatThreads
from adapters.postgres.database import Database
from adapters.system.id_source import SystemIdSource
from application.ports.chat_threads import ChatMessages, ChatThreads, ThreadPlace
from domain.chat import thread as threads_module
from domain.chat.answer import AnswerMode, ChatAnswer, Citation, Source
from domain.chat.finish import FinishReason
from domain.chat.request import ChatRequest, ContextMode, DataSource, RagConfig, Reading
from domain.chat.thread import (
    Message,
    MessageNotFound,
    MessageStatus,
    Role,
    Thread,
    ThreadBusy,
    ThreadFull,
    ThreadNotFound,
    TitleOrigin,
)
from domain.chat.usage import TokenUsage
from domain.retrieval.words import words
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEW_ID = SystemIdSource().new_id
SOURCE = Source(
    number=2,
    text="The tail is nine metres high.",
    title="Größe",
    heading_path=("A", "B"),
    start=5,
    end=34,
    page=3,
    score=0.5,
    segment_id=uuid4(),
    document_id="tail",
)
ANSWER = ChatAnswer(
    text="Nine metres [2].",
    mode=AnswerMode.GENERATIVE,
    finish_reason=FinishReason.LENGTH,
    sources=(SOURCE,),
    citations=(
        Citation(
            number=2,
            answer_start=0,
            answer_end=15,
            source=SOURCE,
            start=5,
            end=34,
            heading_path=("Own",),
            page=4,
        ),
    ),
    unknown_markers=(7,),
    model="small",
    usage=TokenUsage(prompt_tokens=9, completion_tokens=4),
    observed={"context_items": 1},
)


@dataclass(frozen=True, slots=True)
class Desk:
    """Both sides of one store."""

    threads: ChatThreads
    messages: ChatMessages

    async def opened(self, owner: str = "ada", seconds: float = 0, **fields: object) -> Thread:
        moment = at(seconds)
        thread = Thread(id=NEW_ID(), owner=owner, created_at=moment, updated_at=moment, **fields)  # type: ignore[arg-type]
        await self.threads.add(thread)
        return thread

    async def said(self, thread: Thread, *texts: str, after: Message | None = None) -> list[Message]:
        """Messages in turn of both roles, put into the thread after one."""
        made: list[Message] = []
        for text in texts:
            made.append(message(thread, text, after=made[-1] if made else after))
        await self.messages.append(made, at=at(1), goes_on=False)
        return made


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def message(thread: Thread, text: str, *, after: Message | None = None, **fields: object) -> Message:
    values = {
        "id": NEW_ID(),
        "thread_id": thread.id,
        "parent_id": after.id if after else None,
        "depth": after.depth + 1 if after else 0,
        "role": Role.ASSISTANT if after and after.role is Role.USER else Role.USER,
        "content": text,
        "created_at": NOW,
        "updated_at": NOW,
        **fields,
    }
    return Message(**values)  # type: ignore[arg-type]


@pytest.fixture(params=["memory", *SERVERS])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    if request.param == "memory":
        store = ChatStore()
        yield Desk(MemoryChatThreads(store), MemoryChatMessages(store))
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield _desk(database)


def _desk(database: Database) -> Desk:
    return Desk(PostgresChatThreads(database), PostgresChatMessages(database))


async def test_a_thread_comes_back_as_it_was(desk: Desk) -> None:
    kept = await desk.opened(title="Über alles", title_origin=TitleOrigin.GIVEN, origin=(uuid4(), uuid4()))
    assert await desk.threads.get(kept.id, owner="ada") == kept


async def test_nobody_sees_or_changes_the_thread_of_somebody_else(desk: Desk) -> None:
    """To them it does not exist."""
    thread = await desk.opened("ada")
    (said,) = await desk.said(thread, "a secret")
    for owner in ("bob", "", "Ada", "ada "):
        with pytest.raises(ThreadNotFound):
            await desk.threads.get(thread.id, owner=owner)
        with pytest.raises(ThreadNotFound):
            await desk.threads.rename(
                thread.id, owner=owner, title="x", origin=TitleOrigin.GIVEN, instead_of=None
            )
        with pytest.raises(ThreadNotFound):
            await desk.threads.remove(thread.id, owner=owner)
        assert await desk.threads.page(owner=owner, limit=9) == ([], 0)
        assert list(await desk.threads.find(["secret"], owner=owner, limit=9)) == []
    assert await desk.messages.get(thread.id, said.id) == said


async def test_threads_are_listed_by_their_latest_change(desk: Desk) -> None:
    """Page after page, each once, those that changed at the same moment too."""
    made = [await desk.opened(seconds=second) for second in (3, 1, 2, 2, 2)]
    await desk.opened("bob")
    seen: list[Thread] = []
    after = None
    while True:
        page, total = await desk.threads.page(owner="ada", limit=2, after=after)
        assert total == 5
        if not page:
            break
        seen += page
        after = ThreadPlace(updated_at=page[-1].updated_at, id=page[-1].id)
    assert seen == sorted(made, key=lambda one: (one.updated_at, one.id), reverse=True)


async def test_a_thread_is_renamed_unless_its_title_is_of_another_origin(desk: Desk) -> None:
    thread = await desk.opened(title="What?", title_origin=TitleOrigin.QUESTION)

    async def renamed(title: str, origin: TitleOrigin, instead_of: TitleOrigin | None) -> bool:
        return await desk.threads.rename(
            thread.id, owner="ada", title=title, origin=origin, instead_of=instead_of
        )

    assert await renamed("Mine", TitleOrigin.GIVEN, None)
    assert not await renamed("Generated", TitleOrigin.GENERATED, TitleOrigin.QUESTION)
    kept = await desk.threads.get(thread.id, owner="ada")
    assert (kept.title, kept.title_origin, kept.updated_at) == ("Mine", TitleOrigin.GIVEN, NOW)
    assert await renamed("Again", TitleOrigin.GENERATED, TitleOrigin.GIVEN)
    with pytest.raises(ThreadNotFound):
        await desk.threads.rename(
            uuid4(), owner="ada", title="x", origin=TitleOrigin.GIVEN, instead_of=TitleOrigin.NONE
        )


async def test_a_thread_goes_with_its_messages(desk: Desk) -> None:
    thread, other = await desk.opened(), await desk.opened()
    (said,) = await desk.said(thread, "gone")
    (stays,) = await desk.said(other, "stays")
    await desk.threads.remove(thread.id, owner="ada")
    for act in (desk.threads.get(thread.id, owner="ada"), desk.threads.remove(thread.id, owner="ada")):
        with pytest.raises(ThreadNotFound):
            await act
    with pytest.raises(MessageNotFound):
        await desk.messages.get(thread.id, said.id)
    assert not await desk.messages.save(said)
    assert await desk.messages.path(thread.id, leaf=said.id, limit=9) == []
    assert await desk.messages.get(other.id, stays.id) == stays


async def test_messages_come_back_as_they_were(desk: Desk) -> None:
    """A question with all it was asked with, an answer with all it rests on."""
    thread = await desk.opened()
    asked = ChatRequest(
        query="Wie hoch? \\u0000",
        context_mode=ContextMode.HYBRID,
        attachments=("a.md",),
        reading=Reading(is_whole=False, most_excerpts=3),
        rag=RagConfig(sources=(DataSource(metadata_filters={"origin": ["x"]}, weight=0.5),)),
        temperature=0.5,
    )
    question = message(thread, asked.query, request=asked)
    answer = message(thread, ANSWER.text, after=question, answer=ANSWER)
    failed = message(
        thread, "", after=question, status=MessageStatus.FAILED, error={"code": "x", "message": "y"}
    )
    changed = await desk.messages.append((question, answer), at=at(5), goes_on=True)
    await desk.messages.append((failed,), at=at(6), goes_on=False)
    assert (changed.head_id, changed.messages, changed.updated_at) == (answer.id, 2, at(5))
    for kept in (question, answer, failed):
        assert await desk.messages.get(thread.id, kept.id) == kept
    with pytest.raises(MessageNotFound):
        await desk.messages.get(uuid4(), question.id)


async def test_what_is_said_next_follows_the_head(desk: Desk) -> None:
    thread = await desk.opened()
    (first,) = await desk.said(thread, "one")
    late = message(thread, "late")
    with pytest.raises(ThreadBusy):
        await desk.messages.append((late,), at=at(2), goes_on=True)
    with pytest.raises(MessageNotFound):
        await desk.messages.append((replace(late, parent_id=uuid4()),), at=at(2), goes_on=False)
    with pytest.raises(ThreadNotFound):
        await desk.messages.append((replace(late, thread_id=uuid4()),), at=at(2), goes_on=True)
    assert await desk.messages.page(thread.id, limit=9) == [first]
    await desk.messages.append((late,), at=at(3), goes_on=False)
    assert (await desk.threads.get(thread.id, owner="ada")).head_id == late.id


async def test_of_two_who_write_at_once_one_is_told(desk: Desk) -> None:
    thread = await desk.opened()
    tried = await asyncio.gather(
        *(desk.messages.append((message(thread, str(n)),), at=NOW, goes_on=True) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, ThreadBusy) for one in tried) == 3
    assert len(await desk.messages.page(thread.id, limit=9)) == 1


async def test_a_branch_is_read_from_its_beginning(desk: Desk) -> None:
    thread = await desk.opened()
    question, answer, more = await desk.said(thread, "q", "a", "more")
    (other,) = await desk.said(thread, "another answer", after=question)

    async def path(leaf: UUID, **bounds: int) -> list[Message]:
        return list(await desk.messages.path(thread.id, leaf=leaf, **{"limit": 9, **bounds}))

    assert await path(more.id) == [question, answer, more]
    assert await path(other.id) == [question, other]
    assert await path(more.id, limit=2) == [question, answer]
    assert await path(more.id, from_depth=1) == [answer, more]
    assert await path(more.id, from_depth=3) == []
    assert await path(uuid4()) == []
    assert await desk.messages.page(thread.id, limit=3) == [question, answer, more]
    assert await desk.messages.page(thread.id, limit=9, after=more.id) == [other]


async def test_an_answer_is_saved_as_long_as_it_is_written(desk: Desk) -> None:
    """Of what came late after its end nothing is kept."""
    thread = await desk.opened()
    begun = message(thread, "", status=MessageStatus.WRITING)
    await desk.messages.append((begun,), at=NOW, goes_on=True)
    half = replace(begun, content="Nine", updated_at=at(1))
    done = replace(half, content=ANSWER.text, answer=ANSWER, status=MessageStatus.COMPLETE, updated_at=at(2))
    assert await desk.messages.save(half)
    assert await desk.messages.get(thread.id, begun.id) == half
    assert await desk.messages.save(done)
    assert not await desk.messages.save(replace(half, updated_at=at(3)))
    assert await desk.messages.get(thread.id, begun.id) == done
    assert len(await desk.threads.find(["metres"], owner="ada", limit=9)) == 1


async def test_messages_are_found_by_all_of_their_words(desk: Desk) -> None:
    """Whatever their case and script, the latest first, page by page."""
    thread = await desk.opened(title="Flight")
    said = await desk.said(thread, "The TAIL of a plane.", "A tail wags.", "Größe und 東京タワー", "nothing")

    async def found(query: str, **bounds: object) -> list[Message]:
        page = await desk.threads.find(words(query), owner="ada", **{"limit": 9, **bounds})  # type: ignore[arg-type]
        assert all(one.title == "Flight" for one in page)
        return [one.message for one in page]

    assert await found("tail") == [said[1], said[0]]
    assert await found("plane, Tail!") == [said[0]]
    assert await found("größe") == [said[2]]
    assert await found("東京") == [said[2]]
    assert await found("%") == []
    assert await found("tail", limit=1) == [said[1]]
    assert await found("tail", after=said[1].id) == [said[0]]


async def test_a_thread_is_branched_with_its_messages_or_not_at_all(desk: Desk) -> None:
    first = await desk.opened()
    branch = Thread(id=NEW_ID(), owner="ada", created_at=NOW, updated_at=NOW, messages=1)
    copied = message(branch, "copied")
    branch = replace(branch, head_id=copied.id, origin=(first.id, copied.id))
    await desk.threads.add(branch, (copied,))
    assert await desk.threads.get(branch.id, owner="ada") == branch
    assert await desk.messages.path(branch.id, leaf=copied.id, limit=9) == [copied]


async def test_a_thread_has_only_so_many_messages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("adapters.memory.chat_threads", "adapters.postgres.chat_messages"):
        monkeypatch.setattr(f"{module}.MAX_MESSAGES", 3)
    assert threads_module.MAX_MESSAGES == 2_000
    thread = await desk.opened()
    *_, last = await desk.said(thread, "one", "two")
    with pytest.raises(ThreadFull):
        await desk.said(thread, "three", "four", after=last)
    await desk.said(thread, "three", after=last)
    assert (await desk.threads.get(thread.id, owner="ada")).messages == 3


async def test_the_store_in_memory_forgets_what_rested_longest() -> None:
    store = ChatStore(most_threads=2)
    desk = Desk(MemoryChatThreads(store), MemoryChatMessages(store))
    old, new = await desk.opened(seconds=1), await desk.opened(seconds=2)
    await desk.opened(seconds=3)
    with pytest.raises(ThreadNotFound):
        await desk.threads.get(old.id, owner="ada")
    assert await desk.threads.get(new.id, owner="ada") == new
