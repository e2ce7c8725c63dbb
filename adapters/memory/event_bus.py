"""Events within one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from adapters.memory.listeners import Listeners
from domain.event import Event


class InProcessEventBus:
    """Gives events to the listeners of this process; ``capacity`` is how many each may leave unread.

    Publishing costs as much as there are listeners to that execution and to all of them.
    """

    def __init__(self, *, capacity: int = 1024) -> None:
        self._to_all: Listeners[UUID | None, Event] = Listeners(capacity)
        self._to_whole: Listeners[UUID | None, Event] = Listeners(capacity)

    def publish(self, event: Event) -> None:
        for listeners in (self._to_all,) if event.is_of_message else (self._to_all, self._to_whole):
            for audience in (event.execution_id, None):
                listeners.tell(audience, event)

    def listen(
        self, execution_id: UUID | None = None, *, with_messages: bool = True
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return (self._to_all if with_messages else self._to_whole).listen(execution_id)

    def is_followed(self, execution_id: UUID) -> bool:
        # Asked twice for every message, and mostly nobody listens.
        return bool(self._to_all) and (self._to_all.has(execution_id) or self._to_all.has(None))
