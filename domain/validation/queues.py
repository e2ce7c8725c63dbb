"""Reads where a route's messages come from and where its emissions go."""

from __future__ import annotations

from domain.json import Json
from domain.pipeline import Condition, Inbound, Outbound
from domain.queue_names import is_queue_name
from domain.validation.condition import read_condition
from domain.validation.paths import joined
from domain.validation.section import Section, is_list, kind, shown

MAX_CONCURRENCY = 1000
MAX_PREFETCH = 10_000
MAX_OUTBOUND = 100
_DEFAULT = Inbound(queue="default")


def read_inbound(route: Section) -> Inbound | None:
    """The route's ``inbound``, None when it has no usable queue."""
    section = route.section("inbound") if route.required("inbound") else None
    if section is None:
        return None
    section.only("queue", "subscription", "concurrency", "prefetch")
    queue = read_queue(section, "queue") if section.required("queue") else None
    concurrency = section.integer("concurrency", _DEFAULT.concurrency, least=1, most=MAX_CONCURRENCY)
    prefetch = section.integer("prefetch", 2 * concurrency, least=1, most=MAX_PREFETCH)
    subscription = section.text("subscription")
    if queue is None:
        return None
    return Inbound(queue=queue, subscription=subscription, concurrency=concurrency, prefetch=prefetch)


def read_queue(section: Section, key: str) -> str | None:
    """The name of a queue or topic under a key, noted when brokers would refuse it."""
    name = section.text(key)
    if name and name.strip() and not is_queue_name(name):
        section.note("E201", key, f"{shown(name)} is not a name for a queue")
    return name or None


def read_outbound(route: Section) -> tuple[Outbound, ...]:
    """The route's ``outbound``: a queue, ``{queue, condition}`` with one queue or a list, or a list of those."""
    value = route.values.get("outbound")
    entries = value if is_list(value) else [value]
    outbound: list[Outbound] = []
    for position, entry in enumerate(entries):
        key = joined("outbound", str(position)) if is_list(value) else "outbound"
        outbound += _entry(route, key, entry)
    if len(outbound) > MAX_OUTBOUND:
        route.note("E501", "outbound", f"a route sends to at most {MAX_OUTBOUND} queues")
    _note_repeated(route, outbound)
    return tuple(outbound)


def _entry(route: Section, key: str, entry: Json) -> list[Outbound]:
    if entry is None or isinstance(entry, str):
        return _queues(route, key, entry, None)
    section = route.section_of(key, entry)
    if section is None:
        return []
    section.only("queue", "condition")
    condition = read_condition(section)
    if not section.required("queue"):
        return []
    return _queues(route, joined(key, "queue"), section.values["queue"], condition)


def _queues(route: Section, key: str, value: Json, condition: Condition | None) -> list[Outbound]:
    """One queue's name or a list of names; the key is a path below the route."""
    if is_list(value):
        named = ((joined(key, str(position)), name) for position, name in enumerate(value))
        return [out for at, name in named for out in _queues_at(route, at, name, condition)]
    return _queues_at(route, key, value, condition)


def _queues_at(route: Section, key: str, value: Json, condition: Condition | None) -> list[Outbound]:
    if value is None and key == "outbound":
        return []
    if not isinstance(value, str):
        route.note("E101", key, f"the name of a queue is needed, not {kind(value)}")
        return []
    if not is_queue_name(value):
        route.note("E201", key, f"{shown(value)} is not a name for a queue")
    return [Outbound(queue=value, condition=condition)]


def _note_repeated(route: Section, outbound: list[Outbound]) -> None:
    seen: set[str] = set()
    for out in outbound:
        if out.queue in seen:
            route.note("W202", "outbound", f"the queue {shown(out.queue)} is named more than once")
        seen.add(out.queue)
