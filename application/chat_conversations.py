"""Speaking in a thread: asking, having an answer written anew, and reading it while it is written and afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from application.chat_run import AnswerRun
from application.chat_runs import AnswerRuns, Keep, Written
from application.chat_threads import Threads, ThreadStore
from application.chat_titles import Titles
from domain.chat.answer import ChatEvent
from domain.chat.errors import AnswerFailed, AnswerInterrupted, AnswerStreamNotFound
from domain.chat.places import Place, placed, retold
from domain.chat.request import MAX_HISTORY, MAX_HISTORY_CHARACTERS, ChatRequest, Turn
from domain.chat.thread import (
    InvalidThread,
    Message,
    MessageNotAnAnswer,
    MessageStatus,
    Role,
    Thread,
    ThreadBusy,
)

LOOK_AGAIN_SECONDS = 0.5
"""How often to see how far an answer has come that another process writes."""


class Asked(NamedTuple):
    """A question in a thread, and the answer that is being written to it."""

    question: Message
    answer: Message
    run: AnswerRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """Every answer is written in the background and kept as it grows: whoever goes away loses nothing."""

    threads: Threads
    runs: AnswerRuns
    titles: Titles

    async def ask(
        self, thread_id: UUID, request: ChatRequest, *, owner: str, parent_id: UUID | None = None
    ) -> Asked:
        """Put a question into the thread, after its head or after another of its answers, and begin to answer it.

        The request's history is that of the thread. Raises ThreadNotFound, MessageNotFound, ThreadBusy, ThreadFull,
        InvalidThread.
        """
        thread, store = await self.threads.get(thread_id, owner=owner)
        after = await self._parent(thread, store, parent_id)
        question = self._message(thread, Role.USER, after, content=request.query, request=request)
        answer = self._message(thread, Role.ASSISTANT, question, status=MessageStatus.WRITING)
        history = await self._history(store, thread, after)
        await store.messages.append((question, answer), at=question.created_at, goes_on=parent_id is None)
        if after is None:
            await self.titles.begin(thread, store, request.query)
        return Asked(question, answer, self._begin(thread, store, answer, replace(request, history=history)))

    async def regenerate(
        self,
        thread_id: UUID,
        message_id: UUID,
        *,
        owner: str,
        permit: Callable[[ChatRequest], object],
        request: ChatRequest | None = None,
    ) -> Asked:
        """Answer a question anew, as it was asked or as the request says; the answer there was stays beside it.

        ``permit`` raises when whoever asks may not ask so any more, and nothing is changed then.
        Raises ThreadNotFound, MessageNotFound, MessageNotAnAnswer, ThreadBusy, ThreadFull.
        """
        thread, store = await self.threads.get(thread_id, owner=owner)
        former = (await store.messages.get(thread_id, message_id)).as_of(self.threads.clock.now())
        if former.role is not Role.ASSISTANT or former.parent_id is None:
            raise MessageNotAnAnswer
        if former.status is MessageStatus.WRITING:
            raise ThreadBusy
        question = await store.messages.get(thread_id, former.parent_id)
        before = await store.messages.get(thread_id, question.parent_id) if question.parent_id else None
        asked = request or question.request or ChatRequest(query=question.content)
        permit(asked)
        history = await self._history(store, thread, before)
        answer = self._message(thread, Role.ASSISTANT, question, status=MessageStatus.WRITING)
        await store.messages.append((answer,), at=answer.created_at, goes_on=False)
        asked = replace(asked, query=question.content, history=history)
        return Asked(question, answer, self._begin(thread, store, answer, asked))

    async def message(self, thread_id: UUID, message_id: UUID, *, owner: str) -> Message:
        """One message as it stands; raises ThreadNotFound, MessageNotFound."""
        _, store = await self.threads.get(thread_id, owner=owner)
        return (await store.messages.get(thread_id, message_id)).as_of(self.threads.clock.now())

    async def answer(self, thread_id: UUID, message_id: UUID, *, owner: str) -> Message:
        """One answer as it stands; raises ThreadNotFound, MessageNotFound, MessageNotAnAnswer."""
        message = await self.message(thread_id, message_id, owner=owner)
        if message.role is not Role.ASSISTANT:
            raise MessageNotAnAnswer
        return message

    async def messages(
        self, thread_id: UUID, *, owner: str, limit: int, leaf: UUID | None = None, from_depth: int = 0
    ) -> Sequence[Message]:
        """The messages up to a leaf, the thread's head unless another is named, from a depth on, in reading order.

        Raises ThreadNotFound, MessageNotFound.
        """
        thread, store = await self.threads.get(thread_id, owner=owner)
        if leaf is not None:
            await store.messages.get(thread_id, leaf)
        end = leaf or thread.head_id
        if end is None:
            return ()
        path = await store.messages.path(thread_id, leaf=end, limit=limit, from_depth=from_depth)
        return [message.as_of(self.threads.clock.now()) for message in path]

    async def all_messages(
        self, thread_id: UUID, *, owner: str, limit: int, after: UUID | None = None
    ) -> Sequence[Message]:
        """The messages of all branches in the order in which they were begun; raises ThreadNotFound."""
        _, store = await self.threads.get(thread_id, owner=owner)
        page = await store.messages.page(thread_id, limit=limit, after=after)
        return [message.as_of(self.threads.clock.now()) for message in page]

    async def read(
        self, thread_id: UUID, message_id: UUID, *, owner: str, after: Place | None = None
    ) -> AsyncGenerator[tuple[Place, ChatEvent], None]:
        """An answer's events from a place on: as they come, or again, whichever process writes or has written it.

        Raises ThreadNotFound, MessageNotFound, MessageNotAnAnswer, AnswerFailed, AnswerInterrupted, and what writing
        fails at.
        """
        message = await self.answer(thread_id, message_id, owner=owner)
        try:
            run = self.runs.get(message_id, owner=owner)
        except AnswerStreamNotFound:
            run = None
        events = self._kept(message, owner, after) if run is None else run.read(after)
        async with aclosing(events) as told:
            async for one in told:
                yield one

    async def _kept(
        self, message: Message, owner: str, after: Place | None
    ) -> AsyncGenerator[tuple[Place, ChatEvent], None]:
        while True:
            is_complete = message.status is MessageStatus.COMPLETE
            if message.answer is not None:
                for told in placed(retold(message.answer, is_complete=is_complete), after):
                    after = told[0]
                    yield told
            if message.status is not MessageStatus.WRITING:
                break
            await self.threads.clock.sleep(LOOK_AGAIN_SECONDS)
            message = await self.message(message.thread_id, message.id, owner=owner)
        if message.status is MessageStatus.FAILED:
            raise AnswerFailed((message.error or {}).get("message"))
        if message.status is MessageStatus.INTERRUPTED:
            raise AnswerInterrupted

    async def _parent(self, thread: Thread, store: ThreadStore, parent_id: UUID | None) -> Message | None:
        wanted = parent_id or thread.head_id
        if wanted is None:
            return None
        parent = (await store.messages.get(thread.id, wanted)).as_of(self.threads.clock.now())
        if parent.role is not Role.ASSISTANT:
            raise InvalidThread("a question follows an answer: name the id of one as parent_id")
        if parent.status is MessageStatus.WRITING:
            raise ThreadBusy
        return parent

    async def _history(self, store: ThreadStore, thread: Thread, last: Message | None) -> Sequence[Turn]:
        """The latest turns up to a message, as many as a request may have."""
        if last is None:
            return ()
        begin = max(last.depth + 1 - MAX_HISTORY, 0)
        path = await store.messages.path(thread.id, leaf=last.id, limit=MAX_HISTORY, from_depth=begin)
        turns: list[Turn] = []
        room = MAX_HISTORY_CHARACTERS
        for turn in (message.turn for message in reversed(path)):
            if turn is None:
                continue
            room -= len(turn.content)
            if room < 0:
                break
            turns.append(turn)
        return tuple(reversed(turns))

    def _message(self, thread: Thread, role: Role, after: Message | None, **fields: object) -> Message:
        now = self.threads.clock.now()
        values = {
            "content": "",
            "parent_id": after.id if after else None,
            "depth": after.depth + 1 if after else 0,
            **fields,
        }
        return Message(
            id=self.threads.ids.new_id(),
            thread_id=thread.id,
            role=role,
            created_at=now,
            updated_at=now,
            **values,  # type: ignore[arg-type]  # the fields of a message, by name
        )

    def _begin(self, thread: Thread, store: ThreadStore, answer: Message, request: ChatRequest) -> AnswerRun:
        keep = self._keeping(thread, store, answer, request)
        return self.runs.start(request, owner=thread.owner, run_id=answer.id, keep=keep)

    def _keeping(self, thread: Thread, store: ThreadStore, message: Message, request: ChatRequest) -> Keep:
        async def keep(written: Written) -> bool:
            now = replace(
                message,
                content=written.answer.text if written.answer else "",
                answer=written.answer,
                status=written.status,
                error={"code": written.error.code, "message": written.error.message}
                if written.error
                else None,
                updated_at=self.threads.clock.now(),
            )
            is_kept = await store.messages.save(now)
            if is_kept and written.status is MessageStatus.COMPLETE and message.depth == 1 and written.answer:
                self.runs.spawn(self.titles.improve(thread, store, request.query, written.answer.text))
            return is_kept

        return keep
