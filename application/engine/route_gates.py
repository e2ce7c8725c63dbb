"""The gates of all routes that this process runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from application.engine.route_gate import RouteGate


@dataclass(frozen=True, slots=True)
class RouteGates:
    """Every gate by execution and route id, from the assembly of a run to its close."""

    _gates: dict[UUID, Mapping[str, RouteGate]] = field(default_factory=dict)

    def keep(self, execution_id: UUID, gates: Mapping[str, RouteGate]) -> None:
        """Take the gates of a run, by route id, in place of any it had."""
        self._gates[execution_id] = gates

    def forget(self, execution_id: UUID) -> None:
        """Drop those of a run; one that is not there is no error."""
        self._gates.pop(execution_id, None)

    def of(self, execution_id: UUID) -> Mapping[str, RouteGate]:
        """Those of a run by route id, in the order of its config; none when it does not run here."""
        return self._gates.get(execution_id, {})

    def __iter__(self) -> Iterator[RouteGate]:
        """All of them."""
        for gates in self._gates.values():
            yield from gates.values()
