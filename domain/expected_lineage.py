"""Which lineage entries a settled message must have, as far as that can be told without its payload."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from domain.json import JsonObject
from domain.message import MessageState
from domain.pipeline import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSteps:
    """How many pipeline adapters a route has, and the places, from 0, of those that handle every message that comes to them.

    ``collects``: the first of them takes groups, and those behind it have only the message that stands for its group.
    """

    places: int = 0
    certain: tuple[int, ...] = ()
    collects: bool = False

    def are_lacking(
        self,
        state: MessageState,
        handled: Collection[int],
        *,
        failed_at: int | None = None,
        stands_for_group: bool = False,
    ) -> bool:
        """Whether something is missing of a message whose last attempt has ended entries at the places ``handled``.

        A message that is done met all of the certain ones, any other those before the last that is known of: it had one,
        and a dead one has that at which it failed.
        """
        if not handled:
            return True
        furthest = max(handled)
        if failed_at is not None and failed_at > furthest:
            return True
        runs_through = state is MessageState.DONE and (stands_for_group or not self.collects)
        return any(place not in handled for place in self.certain if runs_through or place < furthest)


def expected_of(route: Route, *, collects: bool) -> ExpectedSteps:
    """What is expected of a route's messages, whose first pipeline adapter ``collects`` or does not."""
    certain = tuple(place for place, step in enumerate(route.adapters) if step.condition is None)
    return ExpectedSteps(places=len(route.adapters), certain=certain, collects=collects)


def failed_at(error: JsonObject | None) -> int | None:
    """The place of the pipeline adapter at which a message died, by the ledger's reason; None when at none."""
    place = error.get("adapter_index") if error else None
    return place if isinstance(place, int) and not isinstance(place, bool) else None
