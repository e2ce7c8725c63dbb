"""Reads back what messages an execution has had, by what lineage tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeen:
    """A stage of which lineage tells: the route, the stage's name, and the type of the pipeline adapter."""

    route_id: str
    stage: str
    adapter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryCursor:
    """Where a page of history ended: a lineage entry's start and id."""

    at: datetime
    entry_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Messages in the order in which lineage first tells of them, and where the next page begins (None at the end).

    ``gone`` are the ids of messages that lineage names and the ledger no longer has, or only without their payload: a
    purged dead letter is not itself any more.
    """

    messages: Sequence[Message]
    gone: Sequence[UUID]
    following: HistoryCursor | None


class MessageHistory(Protocol):
    """The messages of an execution by route and stage. What lineage dropped is not there."""

    async def stages(self, execution_id: UUID) -> Sequence[StageSeen]:
        """Every stage of the execution, by route, stage and pipeline adapter; none when lineage knows nothing of it."""
        ...

    async def page(
        self,
        execution_id: UUID,
        route_id: str,
        *,
        stage: str | None,
        after: HistoryCursor | None = None,
        limit: int,
    ) -> HistoryPage:
        """The messages that a page of up to ``limit`` lineage entries names, each once on its page.

        The entries are those of a route, and of a stage or pipeline adapter of that name if one is given. A message
        that was tried again, or passed several pipeline adapters, may be on several pages.
        """
        ...
