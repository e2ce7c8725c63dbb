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
        self._listeners: Listeners[tuple[UUID | None, bool], Event] = Listeners(capacity)

    def publish(self, event: Event) -> None:
        of_whole = () if event.is_of_message else ((event.execution_id, False), (None, False))
        for audience in ((event.execution_id, True), (None, True), *of_whole):
            self._listeners.tell(audience, event)

    def listen(
        self, execution_id: UUID | None = None, *, with_messages: bool = True
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return self._listeners.listen((execution_id, with_messages))

    def is_followed(self, execution_id: UUID) -> bool:
        return self._listeners.has((execution_id, True)) or self._listeners.has((None, True))
