"""Conversations that are kept: opened, listed, named, searched, branched and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from application.ports.chat_threads import ChatMessages, ChatThreads, FoundMessage, ThreadPlace
from application.ports.clock import Clock
from application.ports.id_source import IdSource
from domain.chat.thread import (
    MAX_MESSAGES,
    NEW_TITLE,
    InvalidThread,
    Message,
    MessageStatus,
    Role,
    Thread,
    ThreadBusy,
    ThreadNotFound,
    TitleOrigin,
)
from domain.retrieval.words import words

MAX_QUERY_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadStore:
    """Where some threads lie, with their messages."""

    threads: ChatThreads
    messages: ChatMessages


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """Threads of two kinds: persistent ones in the database, and transient ones in the memory of this process."""

    persistent: ThreadStore
    transient: ThreadStore
    clock: Clock
    ids: IdSource

    async def create(self, *, owner: str, title: str | None = None, is_transient: bool = False) -> Thread:
        """A new thread without messages; raises InvalidThread, Unavailable."""
        now = self.clock.now()
        thread = Thread(
            id=self.ids.new_id(),
            owner=owner,
            title=NEW_TITLE if title is None else title,
            title_origin=TitleOrigin.NONE if title is None else TitleOrigin.GIVEN,
            is_transient=is_transient,
            created_at=now,
            updated_at=now,
        )
        await self._of_kind(is_transient=is_transient).threads.add(thread)
        return thread

    async def list(
        self, *, owner: str, limit: int, after: ThreadPlace | None = None, is_transient: bool = False
    ) -> tuple[Sequence[Thread], int]:
        """A page of an owner's threads of one kind, the latest changed first, and how many there are."""
        store = self._of_kind(is_transient=is_transient)
        return await store.threads.page(owner=owner, limit=limit, after=after)

    async def get(self, thread_id: UUID, *, owner: str) -> tuple[Thread, ThreadStore]:
        """A thread and where it lies; raises ThreadNotFound."""
        try:
            return await self.transient.threads.get(thread_id, owner=owner), self.transient
        except ThreadNotFound:
            return await self.persistent.threads.get(thread_id, owner=owner), self.persistent

    async def rename(self, thread_id: UUID, *, owner: str, title: str) -> Thread:
        """Give it a title, which no generated one replaces; raises ThreadNotFound, InvalidThread."""
        thread, store = await self.get(thread_id, owner=owner)
        renamed = replace(thread, title=title, title_origin=TitleOrigin.GIVEN)
        await store.threads.rename(
            thread_id, owner=owner, title=title, origin=TitleOrigin.GIVEN, instead_of=None
        )
        return renamed

    async def remove(self, thread_id: UUID, *, owner: str) -> None:
        """Forget it with its messages; an answer that is being written is given up. Raises ThreadNotFound."""
        _, store = await self.get(thread_id, owner=owner)
        await store.threads.remove(thread_id, owner=owner)

    async def find(
        self, query: str, *, owner: str, limit: int, after: UUID | None = None, is_transient: bool = False
    ) -> Sequence[FoundMessage]:
        """Messages with every word of the query, the latest first; raises InvalidThread for a query without words."""
        wanted = words(query[:MAX_QUERY_CHARACTERS])
        if not wanted or len(query) > MAX_QUERY_CHARACTERS:
            raise InvalidThread(
                f"a query has at least one word and at most {MAX_QUERY_CHARACTERS} characters"
            )
        store = self._of_kind(is_transient=is_transient)
        return await store.threads.find(sorted(set(wanted)), owner=owner, limit=limit, after=after)

    async def branch(
        self, thread_id: UUID, message_id: UUID, *, owner: str, title: str | None = None
    ) -> Thread:
        """A thread of its own with everything up to an answer, or up to before a question, to ask it otherwise.

        Raises ThreadNotFound, MessageNotFound, InvalidThread, and ThreadBusy for an answer that is being written.
        """
        thread, store = await self.get(thread_id, owner=owner)
        message = (await store.messages.get(thread_id, message_id)).as_of(self.clock.now())
        if message.status is MessageStatus.WRITING:
            raise ThreadBusy
        leaf = message.id if message.role is Role.ASSISTANT else message.parent_id
        path = await store.messages.path(thread_id, leaf=leaf, limit=MAX_MESSAGES) if leaf else ()
        now = self.clock.now()
        branch = replace(
            thread,
            id=self.ids.new_id(),
            created_at=now,
            updated_at=now,
            origin=(thread_id, message_id),
            messages=len(path),
            title=thread.title if title is None else title,
            title_origin=thread.title_origin if title is None else TitleOrigin.GIVEN,
        )
        copies = self._copied(branch, path)
        branch = replace(branch, head_id=copies[-1].id if copies else None)
        await store.threads.add(branch, copies)
        return branch

    def _copied(self, branch: Thread, path: Sequence[Message]) -> Sequence[Message]:
        copies: list[Message] = []
        for message in path:
            parent_id = copies[-1].id if copies else None
            copy = replace(
                message.as_of(branch.created_at),
                id=self.ids.new_id(),
                thread_id=branch.id,
                parent_id=parent_id,
            )
            copies.append(copy)
        return copies

    def _of_kind(self, *, is_transient: bool) -> ThreadStore:
        return self.transient if is_transient else self.persistent
