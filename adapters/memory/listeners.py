"""Who listens, and to what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from adapters.memory.mailbox import Mailbox

Subject = TypeVar("Subject", bound=Hashable)
Item = TypeVar("Item")


class Listeners(Generic[Subject, Item]):
    """Hands what is told of a subject to all who listen to it now; a subject without listeners is forgotten.

    Each listener has a mailbox of ``capacity`` items and loses the oldest when it is too slow.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._mailboxes: dict[Subject, dict[Mailbox[Item], None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._mailboxes.values()))

    def __bool__(self) -> bool:
        return bool(self._mailboxes)

    def has(self, subject: Subject) -> bool:
        """Whether anybody listens to the subject."""
        return subject in self._mailboxes

    def tell(self, subject: Subject, item: Item) -> None:
        """Put the item into every mailbox of the subject; never waits."""
        for mailbox in self._mailboxes.get(subject, ()):
            mailbox.put(item)

    @asynccontextmanager
    async def listen(self, subject: Subject) -> AsyncIterator[AsyncIterator[Item]]:
        """What is told of the subject while the ``async with`` lasts."""
        mailbox: Mailbox[Item] = Mailbox(self._capacity)
        mailboxes = self._mailboxes.setdefault(subject, {})
        mailboxes[mailbox] = None
        try:
            yield mailbox
        finally:
            mailbox.close()
            del mailboxes[mailbox]
            if not mailboxes and self._mailboxes.get(subject) is mailboxes:
                del self._mailboxes[subject]
