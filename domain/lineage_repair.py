"""What lineage must have said of a message, from what the ledger still knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.claim_check import hash_referred_to
from domain.conditions import holds
from domain.digest import digest
from domain.json import JsonObject
from domain.lineage import REPAIRED, LineageEntry, StageStatus
from domain.message import Message, MessageState, correlation_id
from domain.pipeline import Route
from domain.replayed_message import batch_of


def may_go_unrecorded(route: Route) -> bool:
    """Whether a message may pass the route without meeting any pipeline adapter: every one has a condition."""
    return all(step.condition is not None for step in route.adapters)


def repaired_entries(
    route: Route,
    message: Message,
    *,
    state: MessageState,
    attempt: int,
    settled_at: datetime,
    error: JsonObject | None = None,
    last_correlation_id: UUID | None = None,
    collects: bool = False,
) -> Sequence[LineageEntry]:
    """The entries of the pipeline adapters that must have handled a settled message in its last attempt.

    That is the first one whose condition holds; of a message that is done every later one without a condition; and
    whatever stands before the one that its children name, ``last_correlation_id``. Where the first one ``collects``,
    later ones had only the message that stood for its group, which is known by its children. No others can be told.
    None for a message that met no pipeline adapter. Their ids are those of the real entries, their moment is the
    settlement's, and ``repaired`` is true in their metadata.
    """
    runs_through = state is MessageState.DONE and (not collects or last_correlation_id is not None)
    steps = list(_steps(route, message, attempt, last_correlation_id, runs_through=runs_through))
    entries: list[LineageEntry] = []
    for index in steps:
        entries.append(
            LineageEntry(
                id=correlation_id(message.id, index, attempt),
                parent_id=entries[-1].id if entries else message.parent_correlation_id,
                execution_id=message.execution_id,
                message_id=message.id,
                route_id=message.route_id,
                adapter_name=route.adapters[index].type,
                adapter_index=index,
                attempt=attempt,
                stage_name=route.adapters[index].type,
                status=StageStatus.COMPLETED,
                started_at=settled_at,
                completed_at=settled_at,
                input_hash=None if entries else _hash_of(message),
                replay_batch_id=batch_of(message.metadata),
                metadata={**message.metadata, REPAIRED: True},
            )
        )
    if entries and state is MessageState.DEAD:
        entries[-1] = replace(entries[-1], status=StageStatus.FAILED, error=error)
    return entries


def _hash_of(message: Message) -> str:
    return hash_referred_to(message.payload) or digest(message.payload).hash


def _steps(
    route: Route, message: Message, attempt: int, last: UUID | None, *, runs_through: bool
) -> Iterator[int]:
    conditions = [step.condition for step in route.adapters]
    first = next(
        (index for index, one in enumerate(conditions) if one is None or holds(one, message.payload)), None
    )
    if first is None:
        return
    named = next(
        (
            index
            for index in range(first, len(conditions))
            if correlation_id(message.id, index, attempt) == last
        ),
        None,
    )
    for index in range(first, len(conditions)):
        is_before_the_named = named is not None and index < named
        if index in {first, named} or (conditions[index] is None and (runs_through or is_before_the_named)):
            yield index
