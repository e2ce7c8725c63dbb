"""Which executions and routes are paused, kept beyond the life of a process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.pause import Pause, PauseScope


class Pauses(Protocol):
    """Durable pauses, each lifted only by a resume of the very scope that was paused.

    Pausing and resuming compare and set: of two who do the same at once, one changes something. Raises Unavailable
    when the store cannot be reached; the outcome is then unknown, and calling again is right.
    """

    async def pause(self, scope: PauseScope, *, now: datetime) -> bool:
        """Put a pause in force; False when it was already, and then it keeps the moment from which it is.

        Raises ExecutionNotFound, and PauseNotAllowed when the execution of the scope has ended. A scope without an
        execution can always be paused, whether or not anything with that route runs.
        """
        ...

    async def resume(self, scope: PauseScope) -> bool:
        """Lift a pause; False when there was none. Raises ExecutionNotFound and PauseNotAllowed as ``pause`` does."""
        ...

    async def in_force(self, execution_ids: Sequence[UUID] | None = None) -> Sequence[Pause]:
        """The pauses that are in force, the earliest first; with execution ids those that may cover one of them.

        Pauses of a scope without an execution are among them whatever is asked. Of executions that have ended there
        are none, though a pause comes back with an execution that is opened again.
        """
        ...
