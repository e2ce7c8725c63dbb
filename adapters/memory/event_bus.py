"""Events within one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from adapters.memory.mailbox import Mailbox
from domain.event import Event


class InProcessEventBus:
    """Gives events to the listeners of this process; ``capacity`` is how many each may leave unread.

    Publishing costs as much as there are listeners to that execution and to all of them.
    """

    def __init__(self, *, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._listeners: dict[UUID | None, dict[Mailbox[Event], None]] = {}

    def publish(self, event: Event) -> None:
        for audience in (event.execution_id, None):
            for mailbox in self._listeners.get(audience, ()):
                mailbox.put(event)

    @asynccontextmanager
    async def listen(self, execution_id: UUID | None = None) -> AsyncIterator[AsyncIterator[Event]]:
        mailbox: Mailbox[Event] = Mailbox(self._capacity)
        listeners = self._listeners.setdefault(execution_id, {})
        listeners[mailbox] = None
        try:
            yield mailbox
        finally:
            mailbox.close()
            del listeners[mailbox]
            if not listeners and self._listeners.get(execution_id) is listeners:
                del self._listeners[execution_id]
