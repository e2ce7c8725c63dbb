"""Reads the routes of a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.errors import Invalid
from domain.findings import ConfigProblem
from domain.json import Json, JsonObject
from domain.pipeline import AdapterStep, Backpressure, ErrorHandling, Route
from domain.storage import require_valid_key
from domain.validation.condition import read_condition
from domain.validation.limits import read_backpressure, read_error_handling
from domain.validation.paths import joined
from domain.validation.queues import read_inbound, read_outbound
from domain.validation.section import Section, is_list, shown

AdapterCheck = Callable[[str, JsonObject], Sequence[ConfigProblem]]
"""Everything wrong with a pipeline adapter's config, given its type; ``PipelineAdapterRegistry.check`` is one."""

MAX_ROUTES = 200
MAX_STEPS = 100
MAX_ROUTE_ID = 100
_KEYS = ("name", "description", "inbound", "adapters", "outbound", "error_handling", "backpressure")


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the whole config says for all its routes."""

    error_handling: ErrorHandling
    backpressure: Backpressure | None


def read_routes(root: Section, inherited: Inherited, check: AdapterCheck) -> Mapping[str, Route]:
    """Every route that could be read; one without a usable inbound queue is left out."""
    section = root.section("routes") if root.required("routes") else None
    if section is None:
        return {}
    if not section.values:
        root.note("E106", "routes", "there are no routes")
    if len(section.values) > MAX_ROUTES:
        root.note("E501", "routes", f"a config has at most {MAX_ROUTES} routes")
        return {}
    read = (_route(section, route_id, inherited, check) for route_id in section.values)
    return {route.id: route for route in read if route is not None}


def _route(routes: Section, route_id: str, inherited: Inherited, check: AdapterCheck) -> Route | None:
    _check_id(routes, route_id)
    if routes.values[route_id] is None:
        routes.note("E106", route_id, "the route is empty")
    section = routes.section(route_id)
    if section is None:
        return None
    section.only(*_KEYS)
    inbound = read_inbound(section)
    adapters = _steps(section, check)
    outbound = read_outbound(section)
    error_handling = read_error_handling(section, inherited.error_handling)
    backpressure = read_backpressure(section, inherited.backpressure)
    name, description = section.text("name"), section.text("description")
    if inbound is None:
        return None
    return Route(
        id=route_id,
        name=name or route_id,
        description=description or "",
        inbound=inbound,
        adapters=adapters,
        outbound=outbound,
        error_handling=_without_loop(error_handling, inbound.queue, inherited),
        backpressure=backpressure,
    )


def _without_loop(handling: ErrorHandling, queue: str, inherited: Inherited) -> ErrorHandling:
    """A route that consumes the dead letters of all others does not inherit its own queue for them."""
    if handling.dead_letter_queue == queue == inherited.error_handling.dead_letter_queue:
        return replace(handling, dead_letter_queue=None)
    return handling


def _check_id(routes: Section, route_id: str) -> None:
    try:
        require_valid_key(route_id)
    except Invalid as error:
        routes.note("E107", route_id[:MAX_ROUTE_ID], error.message)
        return
    is_plain = route_id.isprintable() and "/" not in route_id and route_id == route_id.strip()
    if not is_plain or len(route_id) > MAX_ROUTE_ID:
        reason = f"an id has 1 to {MAX_ROUTE_ID} printable characters, no slash, no space at its ends"
        routes.note("E107", route_id[:MAX_ROUTE_ID], f"{shown(route_id)} is not an id for a route: {reason}")


def _steps(route: Section, check: AdapterCheck) -> tuple[AdapterStep, ...]:
    entries = route.entries("adapters") if route.required("adapters") else ()
    if not entries and is_list(route.values.get("adapters")):
        route.note("E106", "adapters", "the route has no pipeline adapters")
    if len(entries) > MAX_STEPS:
        route.note("E501", "adapters", f"a route has at most {MAX_STEPS} pipeline adapters")
        return ()
    read = (_step(route, joined("adapters", str(n)), entry, check) for n, entry in enumerate(entries))
    return tuple(step for step in read if step is not None)


def _step(route: Section, key: str, entry: Json, check: AdapterCheck) -> AdapterStep | None:
    if entry is None:
        route.note("E106", key, "the entry is empty")
    section = route.section_of(key, entry)
    if section is None:
        return None
    section.only("type", "config", "condition")
    adapter_type = section.text("type") if section.required("type") else None
    config = section.section("config")
    condition = read_condition(section)
    if adapter_type is None:
        return None
    values: JsonObject = {} if config is None else config.values
    if config is not None or section.values.get("config") is None:
        _check_config(section, adapter_type, values, check)
    return AdapterStep(type=adapter_type, config=values, condition=condition)


def _check_config(step: Section, adapter_type: str, config: JsonObject, check: AdapterCheck) -> None:
    if not step.collected.has_room:
        return
    for problem in check(adapter_type, config):
        below = joined("config", problem.path) if problem.path else "config"
        key = "type" if problem.code == "E103" else below
        step.collected.add(problem.code, step.at(key), problem.message, remediation=problem.remediation)
