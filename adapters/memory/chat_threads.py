"""Conversations in the memory of one process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from application.ports.chat_threads import FoundMessage, ThreadPlace
from domain.chat.thread import (
    MAX_MESSAGES,
    Message,
    MessageNotFound,
    MessageStatus,
    Thread,
    ThreadBusy,
    ThreadFull,
    ThreadNotFound,
    TitleOrigin,
)
from domain.retrieval.words import words

MOST_THREADS = 1_000


@dataclass(slots=True)
class ChatStore:
    """What the two adapters share: as many threads as allowed, of which the one that rested longest goes first."""

    most_threads: int = MOST_THREADS
    threads: dict[UUID, Thread] = field(default_factory=dict)
    messages: dict[UUID, dict[UUID, Message]] = field(default_factory=dict)

    def make_room(self) -> None:
        """Forget threads until there are no more than allowed."""
        while len(self.threads) > self.most_threads:
            self.forget(min(self.threads.values(), key=lambda one: one.updated_at).id)

    def forget(self, thread_id: UUID) -> None:
        """Forget a thread with its messages."""
        del self.threads[thread_id]
        self.messages.pop(thread_id, None)


@dataclass(slots=True)
class MemoryChatThreads:
    """The ``ChatThreads`` port over a ``ChatStore``."""

    store: ChatStore = field(default_factory=ChatStore)

    async def add(self, thread: Thread, messages: Sequence[Message] = ()) -> None:
        """See the port."""
        self.store.threads[thread.id] = thread
        self.store.messages[thread.id] = {message.id: message for message in messages}
        self.store.make_room()

    async def get(self, thread_id: UUID, *, owner: str) -> Thread:
        """See the port."""
        thread = self.store.threads.get(thread_id)
        if thread is None or thread.owner != owner:
            raise ThreadNotFound
        return thread

    async def page(
        self, *, owner: str, limit: int, after: ThreadPlace | None = None
    ) -> tuple[Sequence[Thread], int]:
        """See the port."""
        owned = sorted(
            (one for one in self.store.threads.values() if one.owner == owner), key=_place, reverse=True
        )
        rest = [one for one in owned if after is None or _place(one) < (after.updated_at, after.id)]
        return rest[:limit], len(owned)

    async def rename(
        self, thread_id: UUID, *, owner: str, title: str, origin: TitleOrigin, instead_of: TitleOrigin | None
    ) -> bool:
        """See the port."""
        thread = await self.get(thread_id, owner=owner)
        if instead_of not in {None, thread.title_origin}:
            return False
        self.store.threads[thread_id] = replace(thread, title=title, title_origin=origin)
        return True

    async def remove(self, thread_id: UUID, *, owner: str) -> None:
        """See the port."""
        await self.get(thread_id, owner=owner)
        self.store.forget(thread_id)

    async def find(
        self, words: Sequence[str], *, owner: str, limit: int, after: UUID | None = None
    ) -> Sequence[FoundMessage]:
        """See the port."""
        wanted = frozenset(words)
        found = [one for one in self._owned(owner) if wanted and wanted <= _words(one.message)]
        found.sort(key=lambda one: one.message.id, reverse=True)
        return [one for one in found if after is None or one.message.id < after][:limit]

    def _owned(self, owner: str) -> Iterator[FoundMessage]:
        for thread in self.store.threads.values():
            if thread.owner == owner:
                for message in self.store.messages[thread.id].values():
                    yield FoundMessage(title=thread.title, message=message)


@dataclass(slots=True)
class MemoryChatMessages:
    """The ``ChatMessages`` port over a ``ChatStore``."""

    store: ChatStore = field(default_factory=ChatStore)

    async def append(self, messages: Sequence[Message], *, at: datetime, goes_on: bool) -> Thread:
        """See the port."""
        first = messages[0]
        thread = self.store.threads.get(first.thread_id)
        if thread is None:
            raise ThreadNotFound
        there = self.store.messages[thread.id]
        if first.parent_id is not None and first.parent_id not in there:
            raise MessageNotFound
        if goes_on and thread.head_id != first.parent_id:
            raise ThreadBusy
        if thread.messages + len(messages) > MAX_MESSAGES:
            raise ThreadFull
        there |= {message.id: message for message in messages}
        changed = replace(
            thread, head_id=messages[-1].id, messages=thread.messages + len(messages), updated_at=at
        )
        self.store.threads[thread.id] = changed
        return changed

    async def save(self, message: Message) -> bool:
        """See the port."""
        there = self.store.messages.get(message.thread_id, {})
        kept = there.get(message.id)
        if kept is None or kept.status is not MessageStatus.WRITING:
            return False
        there[message.id] = message
        return True

    async def get(self, thread_id: UUID, message_id: UUID) -> Message:
        """See the port."""
        message = self.store.messages.get(thread_id, {}).get(message_id)
        if message is None:
            raise MessageNotFound
        return message

    async def path(
        self, thread_id: UUID, *, leaf: UUID, limit: int, from_depth: int = 0
    ) -> Sequence[Message]:
        """See the port."""
        there = self.store.messages.get(thread_id, {})
        walked: list[Message] = []
        at: UUID | None = leaf
        while at is not None and (message := there.get(at)) is not None:
            walked.append(message)
            at = message.parent_id
        return [one for one in reversed(walked) if one.depth >= from_depth][:limit]

    async def page(self, thread_id: UUID, *, limit: int, after: UUID | None = None) -> Sequence[Message]:
        """See the port."""
        there = sorted(self.store.messages.get(thread_id, {}).values(), key=lambda one: one.id)
        return [one for one in there if after is None or one.id > after][:limit]


def _place(thread: Thread) -> tuple[datetime, UUID]:
    return thread.updated_at, thread.id


def _words(message: Message) -> frozenset[str]:
    return frozenset(words(message.content))
