"""Records lineage out of the way of the flow, and reads it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.errors import Invalid
from domain.lineage import LineageEntry, StageStatus

LINEAGE_SORTS = ("started_at", "completed_at", "route_id", "adapter_name", "stage_name", "status")


class InvalidLineageQuery(Invalid):
    """The query for lineage entries cannot be answered."""

    code = "invalid_lineage_query"


class LineageSink(Protocol):
    """Takes entries as they come. Never blocks, never raises; what it must drop it counts.

    Characters that the store cannot hold are replaced rather than the entry lost.
    """

    def record(self, entry: LineageEntry) -> None:
        """Note an entry for writing soon; a later entry of the same id replaces the earlier one, but one that has
        ended never gives way to one that has not.
        """
        ...

    async def flush(self) -> None:
        """Wait until what was recorded so far is written or dropped."""
        ...

    @property
    def dropped(self) -> int:
        """How many entries were dropped since the start."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePlace:
    """Where an entry stands in the order of starts: a page may begin behind it, however much is written meanwhile."""

    started_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageQuery:
    """Which entries to list; None restricts nothing.

    ``url``, ``origin`` and ``title`` match a part of the provenance without regard to case, the rest exactly.
    ``started_after`` and ``started_before`` exclude the moment itself. ``sort_by`` is one of ``LINEAGE_SORTS``; texts
    are sorted by code points, what has not ended comes last, ties go by id. With ``after``, which goes with the order of
    starts alone, the page begins behind that place; the total remains that of all pages.
    """

    execution_id: UUID | None = None
    route_id: str | None = None
    adapter_name: str | None = None
    replay_batch_id: UUID | None = None
    status: StageStatus | None = None
    is_root: bool | None = None
    url: str | None = None
    origin: str | None = None
    title: str | None = None
    document_id: str | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    sort_by: str = "started_at"
    descending: bool = False
    limit: int = 100
    offset: int = 0
    after: LineagePlace | None = None

    def __post_init__(self) -> None:
        if self.sort_by not in LINEAGE_SORTS:
            raise InvalidLineageQuery(f"lineage is sorted by one of {', '.join(LINEAGE_SORTS)}")
        if self.limit < 0 or self.offset < 0:
            raise InvalidLineageQuery("limit and offset are not negative")
        if self.after is not None and self.sort_by != "started_at":
            raise InvalidLineageQuery("a page begins behind an entry only in the order of started_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedEntry:
    """An entry with the route and stage of the entry it came from, None for a root or when that one is missing."""

    entry: LineageEntry
    parent_route_id: str | None = None
    parent_stage_name: str | None = None


class LineageReader(Protocol):
    """Answers where a message came from and what became of it."""

    async def list(self, query: LineageQuery) -> tuple[Sequence[LineageEntry], int]:
        """A page of entries and how many there are in all: exact up to ``COUNTED_EXACTLY``, above that an estimate."""
        ...

    async def get(self, correlation_id: UUID) -> LineageEntry:
        """One entry; raises LineageEntryNotFound."""
        ...

    async def ancestors(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        """The entries it came from, the nearest first; raises LineageEntryNotFound.

        Those are its parent, the entries that were collected into it, and what these came from, each of them once.
        """
        ...

    async def descendants(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        """The entries that came from it, near ones before far ones; raises LineageEntryNotFound.

        Of an entry that was collected into another one, that one and what came from it are among them. Within a level
        they come in the order of their parents, those of one parent by start. It costs what is asked
        for, whatever else came from the entry.
        """
        ...

    async def children(
        self, correlation_id: UUID, *, limit: int = 1000, after: LineagePlace | None = None
    ) -> Sequence[LineageEntry]:
        """The entries whose parent it is, by start, those behind a place if one is given.

        Raises LineageEntryNotFound.
        """
        ...

    def linked(self, execution_id: UUID) -> AsyncIterator[Sequence[LinkedEntry]]:
        """All entries of an execution by start, some hundreds at a time; none for an execution without lineage.

        Nothing is held open between two pages; what is written meanwhile is there if it comes behind.
        """
        ...
