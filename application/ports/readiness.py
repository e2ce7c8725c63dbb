"""Whether a part of the service can do its work."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from domain.json import JsonObject


class Health(StrEnum):
    """How a component is; the values are those of the wire."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentHealth:
    """One component's own answer."""

    name: str
    health: Health
    message: str | None = None
    details: JsonObject = field(default_factory=dict)


class Readiness(Protocol):
    """Answers for one component; each adapter with something behind it implements this for itself."""

    async def check(self) -> ComponentHealth:
        """Ask the thing behind the component, within a second or two; never raises but for cancellation."""
        ...

    @property
    def component(self) -> str:
        """The name under which it appears: ``database``, ``queue``, ``storage``, ``orchestrator``, ``models``,
        ``pipeline_adapters``.
        """
        ...
