"""Forgets what is old, so that nothing grows for ever."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Retention(Protocol):
    """Forgets executions, lineage and chat threads in batches. Safe for several processes at once, each call one transaction.

    Raises Unavailable when the store cannot be reached.
    """

    async def forget_executions(self, *, before: datetime, limit: int) -> int:
        """Forget executions that ended before a moment and have nothing outstanding, with their messages and pauses.

        Dead letters and counters go with them; what they kept in storage stays. Up to ``limit`` executions, and when there
        are none, up to ``limit`` messages of those forgotten, so that no execution is ever known without some of its
        messages; returns how many rows it was, 0 when nothing is left to forget.
        """
        ...

    async def forget_lineage(self, *, before: datetime, limit: int) -> int:
        """Forget up to ``limit`` entries begun before a moment whose execution is forgotten; returns how many.

        The lineage of an execution that is still known stays, for without it settled messages would count as a gap.
        """
        ...

    async def forget_threads(self, *, before: datetime, limit: int) -> int:
        """Forget up to ``limit`` chat threads that nobody has written in since a moment; returns how many."""
        ...
