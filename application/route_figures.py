"""A route id over executions in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from application.executions import Executions
from application.pauses import Pausing, RouteEverywhere
from application.ports.lineage_statistics import LineageStatistics, RouteStatistics
from domain.execution import Execution
from domain.pause import RouteNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFigure:
    """How the messages of a route fared in ``executions``, and how it stands where it still runs.

    ``executions`` are those that were looked at, with such a route or without.
    """

    route: RouteEverywhere
    statistics: RouteStatistics
    executions: Sequence[Execution]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFigures:
    """Sums up what lineage has of a route, whichever executions its messages belong to."""

    executions: Executions
    pausing: Pausing
    statistics: LineageStatistics

    async def of(self, route_id: str, *, latest: int) -> RouteFigure:
        """Over the executions that go on and the ``latest`` that began last.

        Raises RouteNotFound when none of these, no active config and no pause knows such a route.
        """
        began_last, _ = await self.executions.list(limit=latest) if latest else ((), 0)
        going_on = await self.executions.engine.ports.executions.unfinished()
        looked_at = {
            one.id: one for one in (*began_last, *(one for one in going_on if not one.status.is_terminal))
        }
        found = await self.statistics.routes(*looked_at, route_id=route_id)
        return RouteFigure(
            route=await self._route(route_id, has_lineage=bool(found)),
            statistics=found[0] if found else RouteStatistics(route_id=route_id),
            executions=list(looked_at.values()),
        )

    async def _route(self, route_id: str, *, has_lineage: bool) -> RouteEverywhere:
        try:
            return await self.pausing.route(route_id)
        except RouteNotFound:
            if not has_lineage:
                raise
            return RouteEverywhere(route_id=route_id, pause=None, routes=())
