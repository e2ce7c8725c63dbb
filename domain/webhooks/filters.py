"""Which events of the types that it wants a subscription is told of."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.errors import Invalid
from domain.webhooks.event import WebhookEvent

MAX_NAME_CHARACTERS = 200


class InvalidEventFilter(Invalid):
    """The names in a filter have 1 to 200 printable characters."""

    code = "invalid_event_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Everything that is given must hold; an event without such a thing (a run has no route) is then not meant."""

    config_id: UUID | None = None
    execution_id: UUID | None = None
    route_id: str | None = None
    adapter_name: str | None = None

    def __post_init__(self) -> None:
        for text in (self.route_id, self.adapter_name):
            if text is not None and not (0 < len(text) <= MAX_NAME_CHARACTERS and text.isprintable()):
                raise InvalidEventFilter

    def holds(self, event: WebhookEvent) -> bool:
        """Whether an event is meant."""
        wanted = (
            (self.config_id, event.config_id),
            (self.execution_id, event.execution_id),
            (self.route_id, event.route_id),
            (self.adapter_name, event.adapter_name),
        )
        return all(one is None or one == other for one, other in wanted)
