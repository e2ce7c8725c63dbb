"""The use-cases about routes that run: pausing them, and what they come to in figures."""

from __future__ import annotations

from typing import TypedDict

from application.config_check import ConfigCheck
from application.engine.route_pauses import RoutePauses
from application.executions import Executions
from application.pauses import Pausing
from application.route_figures import RouteFigures
from entrypoints.composition.adapters import Adapters


class Routed(TypedDict):
    """Them, by their names in the table of contents."""

    pausing: Pausing
    route_figures: RouteFigures


def make_routed(adapters: Adapters, executions: Executions, route_pauses: RoutePauses) -> Routed:
    """Both, over the pauses that are brought to the routes of this process."""
    pausing = Pausing(
        executions=executions,
        pauses=adapters.pauses(),
        route_pauses=route_pauses,
        check=ConfigCheck(parser=adapters.parser(), registry=adapters.registry()),
        work=adapters.work(),
    )
    figures = RouteFigures(executions=executions, pausing=pausing, statistics=adapters.lineage_statistics())
    return Routed(pausing=pausing, route_figures=figures)
