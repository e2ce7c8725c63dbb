"""What lineage must have said of a message, from what the ledger still knows of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from domain.claim_check import hash_referred_to
from domain.conditions import holds
from domain.digest import digest
from domain.expected_lineage import failed_at
from domain.lineage import REPAIRED, LineageEntry, StageStatus
from domain.message import MessageState, correlation_id
from domain.pipeline import Route
from domain.replayed_message import batch_of
from domain.unrecorded_message import UnrecordedMessage

MOST_ATTEMPTS = 1000
"""How far back an entry that children name is looked for: an outage may have cost a message any number of attempts."""


def may_go_unrecorded(route: Route) -> bool:
    """Whether a message may pass the route without meeting any pipeline adapter: every one has a condition."""
    return all(step.condition is not None for step in route.adapters)


def repaired_entries(
    route: Route, one: UnrecordedMessage, *, collects: bool = False
) -> Sequence[LineageEntry]:
    """The entries that lineage lacks of the pipeline adapters that must have handled a settled message.

    In its last attempt that is the first one whose condition holds; of a message that is done every later one without
    a condition; the one at which it died; and whatever stands before the last that is known of, by its own entries
    or by what its children name. Where the first one ``collects``, later ones had only the message that stood for its
    group. Of an earlier attempt, which broke off, it is what the children name and what stands before that. No others
    can be told. None for a message that met no pipeline adapter. Their ids are those of the real entries, their moment
    is the settlement's, and ``repaired`` is true in their metadata.
    """
    named = _named(route, one)
    known = named.pop(one.attempt, set()) | one.handled
    if (place := failed_at(one.error)) is not None and one.state is MessageState.DEAD:
        known |= {place}
    stands_alone = not collects or one.stands_for_group or bool(one.named)
    runs_through = one.state is MessageState.DONE and stands_alone
    last = _chain(route, one, one.attempt, _places(route, one, known, runs_through=runs_through))
    if last and one.state is MessageState.DEAD:
        last[-1] = replace(last[-1], status=StageStatus.FAILED, error=one.error)
    earlier = [
        entry for attempt, places in named.items() for entry in _broken_off(route, one, attempt, places)
    ]
    return [*earlier, *(entry for entry in last if entry.adapter_index not in one.handled)]


def _broken_off(
    route: Route, one: UnrecordedMessage, attempt: int, named: Collection[int]
) -> Sequence[LineageEntry]:
    *before, last = _chain(route, one, attempt, _places(route, one, named, runs_through=False))
    return [*before, replace(last, status=StageStatus.CANCELLED)]


def _named(route: Route, one: UnrecordedMessage) -> dict[int, set[int]]:
    """The places that the children name, by attempts; what is no entry of this message is passed over."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    left = set(one.named)
    for attempt in range(one.attempt, max(one.attempt - MOST_ATTEMPTS, 0), -1):
        for place in range(len(route.adapters)) if left else ():
            if (entry_id := correlation_id(one.message.id, place, attempt)) in left:
                found[attempt].add(place)
                left.remove(entry_id)
    return found


def _places(
    route: Route, one: UnrecordedMessage, known: Collection[int], *, runs_through: bool
) -> Sequence[int]:
    first, furthest = _first(route, one), max(known, default=-1)
    return [
        place
        for place, step in enumerate(route.adapters)
        if place == first or place in known or (step.condition is None and (runs_through or place < furthest))
    ]


def _first(route: Route, one: UnrecordedMessage) -> int | None:
    """The place of the first pipeline adapter that handled it; None where there is none, or it cannot be told."""
    if not one.is_payload_known:
        return 0 if route.adapters[0].condition is None else None
    return next(
        (
            place
            for place, step in enumerate(route.adapters)
            if step.condition is None or holds(step.condition, one.message.payload)
        ),
        None,
    )


def _chain(route: Route, one: UnrecordedMessage, attempt: int, places: Sequence[int]) -> list[LineageEntry]:
    message = one.message
    entries: list[LineageEntry] = []
    for place in places:
        entries.append(
            LineageEntry(
                id=correlation_id(message.id, place, attempt),
                parent_id=entries[-1].id if entries else message.parent_correlation_id,
                execution_id=message.execution_id,
                message_id=message.id,
                route_id=message.route_id,
                adapter_name=route.adapters[place].type,
                adapter_index=place,
                attempt=attempt,
                stage_name=route.adapters[place].type,
                status=StageStatus.COMPLETED,
                started_at=one.settled_at,
                completed_at=one.settled_at,
                input_hash=None if entries else _input_hash(one),
                replay_batch_id=batch_of(message.metadata),
                metadata={**message.metadata, REPAIRED: True},
            )
        )
    return entries


def _input_hash(one: UnrecordedMessage) -> str | None:
    payload = one.message.payload
    return hash_referred_to(payload) or (digest(payload).hash if one.is_payload_known else None)
