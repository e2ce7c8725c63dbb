"""Keeps conversations: threads, and the messages in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.chat.thread import Message, Thread, TitleOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPlace:
    """Where a list of threads goes on: after the thread with this change and id."""

    updated_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMessage:
    """A message that a search found, with the title of its thread."""

    title: str
    message: Message


class ChatThreads(Protocol):
    """Threads by owner; nobody sees another's. Raises Unavailable when the store cannot be reached."""

    async def add(self, thread: Thread, messages: Sequence[Message] = ()) -> None:
        """Keep a new thread, with messages if it was branched from another: all of it or nothing."""
        ...

    async def get(self, thread_id: UUID, *, owner: str) -> Thread:
        """One thread; raises ThreadNotFound, also for one of somebody else."""
        ...

    async def page(
        self, *, owner: str, limit: int, after: ThreadPlace | None = None
    ) -> tuple[Sequence[Thread], int]:
        """Threads of an owner from a place on, the latest changed first, and how many there are in all."""
        ...

    async def rename(
        self, thread_id: UUID, *, owner: str, title: str, origin: TitleOrigin, instead_of: TitleOrigin | None
    ) -> bool:
        """Give a thread a title, unless its present one has another origin than ``instead_of``, which None lets pass.

        Tells whether it did. That is no change of the thread in the order of lists. Raises ThreadNotFound.
        """
        ...

    async def remove(self, thread_id: UUID, *, owner: str) -> None:
        """Forget a thread with its messages; raises ThreadNotFound."""
        ...

    async def find(
        self, words: Sequence[str], *, owner: str, limit: int, after: UUID | None = None
    ) -> Sequence[FoundMessage]:
        """Messages that have all of these words (of ``domain.retrieval.words``), the latest first.

        ``after`` is the id of the last one of the page before.
        """
        ...


class ChatMessages(Protocol):
    """The messages of threads: a tree, of which a thread's head tells the branch that goes on."""

    async def append(self, messages: Sequence[Message], *, at: datetime, goes_on: bool) -> Thread:
        """Put messages into their thread, each after the one before; the last of them becomes its head.

        With ``goes_on`` the first must follow the head of this moment: of two who write at once, one gets ThreadBusy.
        All of it or nothing. Raises ThreadNotFound, MessageNotFound for a parent that is not there, ThreadFull.
        """
        ...

    async def save(self, message: Message) -> bool:
        """Put a message that is being written as it stands now in place of what was kept.

        Tells False, and changes nothing, for one that is not there any more or no longer being written.
        """
        ...

    async def get(self, thread_id: UUID, message_id: UUID) -> Message:
        """One message; raises MessageNotFound."""
        ...

    async def path(
        self, thread_id: UUID, *, leaf: UUID, limit: int, from_depth: int = 0
    ) -> Sequence[Message]:
        """The messages from the first to a leaf, those of a depth and more, as many as allowed, in reading order.

        Nothing where the leaf is not there.
        """
        ...

    async def page(self, thread_id: UUID, *, limit: int, after: UUID | None = None) -> Sequence[Message]:
        """The messages of all branches after one, by id: in the order in which they were begun."""
        ...
