"""What an operator wants to know of the database: how much there is of everything, and what it runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much there is. Each mapping counts by status or state, and names every one that occurs.

    ``messages`` are those of all executions by how they stand (``outstanding``, ``done``, …).
    """

    executions: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[str, int] = field(default_factory=dict)
    documents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table with its indexes: ``rows`` is the planner's estimate, ``size`` is in bytes."""

    name: str
    rows: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What the data lies in. ``schema_version`` is the last migration, ``size`` is in bytes, relations come largest first."""

    product: str
    version: str
    vector_version: str | None = None
    schema_version: int = 0
    size: int = 0
    connections: int = 0
    max_connections: int = 0
    relations: Sequence[Relation] = ()


class Inspection(Protocol):
    """Looks at what is stored without touching it; cheap enough to be asked every few seconds."""

    async def totals(self) -> Totals:
        """How much there is of everything. Raises Unavailable."""
        ...

    async def facts(self) -> DatabaseFacts:
        """What the data lies in. Raises Unavailable."""
        ...
