"""Tells whoever listens what happened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from domain.event import Event


class EventBus(Protocol):
    """Events of all processes of one service, for event streams. Not a record: who does not listen misses them."""

    def publish(self, event: Event) -> None:
        """Give the event to every listener; never blocks, never raises."""
        ...

    def listen(
        self, execution_id: UUID | None = None, *, with_messages: bool = True
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Events from the moment of entering, of one execution or of all, in the order published.

        Without messages only what happens to executions as a whole. A listener that falls far behind loses the oldest.
        """
        ...

    def is_followed(self, execution_id: UUID) -> bool:
        """Whether anybody listens to the messages of an execution now: nobody else need be told of them."""
        ...
