"""Checks how the routes of a config hang together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from domain.pipeline import InitMessage, Route, is_topic
from domain.validation.paths import joined
from domain.validation.section import Section, shown


def check_consumers(root: Section, routes: Mapping[str, Route]) -> None:
    """Note queues that two routes consume, and dead letters that come back to their own route or go to a topic."""
    consumers: dict[str, str] = {}
    for route in routes.values():
        queue = route.inbound.queue
        dead_letters = route.error_handling.dead_letter_queue
        if dead_letters and is_topic(dead_letters):
            message = f"{shown(dead_letters)} is a topic: dead letters go to a queue"
            root.note("E203", _below(route, "error_handling.dead_letter_queue"), message)
        first = route.id if is_topic(queue) else consumers.setdefault(queue, route.id)
        if first != route.id:
            message = f"the route {shown(first)} consumes {shown(queue)} already"
            root.note("E202", _below(route, "inbound.queue"), message)
        if dead_letters == queue:
            message = f"the dead letters of {shown(queue)} go to the queue itself"
            root.note("E205", _below(route, "error_handling.dead_letter_queue"), message)


def check_collectors(root: Section, routes: Mapping[str, Route], collects: Callable[[str], bool]) -> None:
    """Note pipeline adapters that collect and are not the first of their route, or are so on a condition."""
    for route in routes.values():
        for index, step in enumerate(route.adapters):
            if not collects(step.type):
                continue
            place = _below(route, f"adapters.{index}")
            if index:
                message = f"{shown(step.type)} collects messages and is not the first of its route"
                root.note("E108", place, message)
            elif step.condition is not None:
                message = f"{shown(step.type)} collects all messages of its route and has no condition"
                root.note("E108", f"{place}.condition", message)


def check_flow(root: Section, routes: Mapping[str, Route], init: InitMessage | None) -> None:
    """Note queues that nothing consumes, and routes that no message can reach from the init message."""
    by_queue = {route.inbound.queue: route.id for route in routes.values() if not _listens(route)}
    for route in filter(_listens, routes.values()):
        if route.inbound.queue in _said_behind(routes, by_queue, route.id):
            message = f"what is said on {shown(route.inbound.queue)} makes the route say more on it"
            root.note("W203", _below(route, "inbound.queue"), message)
    for route in routes.values():
        for queue in dict.fromkeys(out.queue for out in route.outbound):
            if queue not in by_queue and not is_topic(queue):
                root.note("W201", _below(route, "outbound"), f"no route consumes {shown(queue)}")
    if init is None or init.route not in routes:
        return
    # Whatever a route that listens to a topic hears may come from another execution.
    starts = [init.route, *(route.id for route in routes.values() if _listens(route))]
    reached = _reached(routes, by_queue, starts)
    for route_id in routes:
        if route_id not in reached:
            root.note("W501", joined("routes", route_id), f"no message can reach the route {shown(route_id)}")


def _listens(route: Route) -> bool:
    return is_topic(route.inbound.queue)


def _said_behind(routes: Mapping[str, Route], by_queue: Mapping[str, str], start: str) -> set[str]:
    """The topics on which a route, or one that its messages come to, says something."""
    reached = _reached(routes, by_queue, [start])
    return {out.queue for route_id in reached for out in routes[route_id].outbound if is_topic(out.queue)}


def _reached(routes: Mapping[str, Route], by_queue: Mapping[str, str], starts: Sequence[str]) -> set[str]:
    reached = set(starts)
    waiting = list(starts)
    while waiting:
        for queue in _queues_fed_by(routes[waiting.pop()]):
            target = by_queue.get(queue)
            if target is not None and target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _queues_fed_by(route: Route) -> list[str]:
    dead_letters = route.error_handling.dead_letter_queue
    return [out.queue for out in route.outbound] + ([dead_letters] if dead_letters else [])


def _below(route: Route, key: str) -> str:
    return f"{joined('routes', route.id)}.{key}"
