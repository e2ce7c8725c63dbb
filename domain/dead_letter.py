"""A dead letter: a message that no attempt could process, kept with its reason until it is redriven or purged."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound
from domain.json import JsonObject
from domain.message import Message

MAX_WANTED_CHARACTERS = 200


class DeadLetterNotFound(NotFound):
    """There is no message with that id."""

    code = "dead_letter_not_found"


class MessageNotDead(Conflict):
    """The message is not dead."""

    code = "message_not_dead"


class DeadLetterPurged(Conflict):
    """The dead letter was purged: its payload is gone, so it cannot be redriven."""

    code = "dead_letter_purged"


class InvalidDeadLetterFilter(Invalid):
    """A filter's texts have 1 to 200 printable characters, and its moments have a time zone."""

    code = "invalid_dead_letter_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead message with why it is dead.

    ``error`` is ``{"code", "message", "type", ...}``, with ``adapter_name``, ``adapter_index`` and ``stage_name`` of
    the pipeline adapter that failed when one did. ``attempts`` counts every attempt ever, ``retries`` those since the
    last redrive. A purged one has an empty payload, no metadata and no error.
    """

    message: Message
    error: JsonObject
    attempts: int
    retries: int = 0
    dead_at: datetime
    purged_at: datetime | None = None

    @property
    def adapter_name(self) -> str | None:
        """The pipeline adapter that failed, None when none did (the ledger refused a value, say)."""
        return self._told("adapter_name")

    @property
    def stage_name(self) -> str | None:
        """The stage that the pipeline adapter was working at, None when none failed."""
        return self._told("stage_name")

    def _told(self, key: str) -> str | None:
        value = self.error.get(key)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """Which dead letters are meant: those for which everything that is given holds; all of them when nothing is.

    ``dead_after`` and ``dead_before`` are exclusive bounds of ``dead_at``.
    """

    message_id: UUID | None = None
    execution_id: UUID | None = None
    route_id: str | None = None
    adapter_name: str | None = None
    stage_name: str | None = None
    error_code: str | None = None
    dead_after: datetime | None = None
    dead_before: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("route_id", "adapter_name", "stage_name", "error_code"):
            text = getattr(self, name)
            if text is not None and not (0 < len(text) <= MAX_WANTED_CHARACTERS and text.isprintable()):
                raise InvalidDeadLetterFilter(f"{name} must have 1 to 200 printable characters")
        for name in ("dead_after", "dead_before"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise InvalidDeadLetterFilter(f"{name} must have a time zone")

    @property
    def is_everything(self) -> bool:
        """Whether nothing is given."""
        return all(getattr(self, item.name) is None for item in fields(self))

    def holds(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is among those meant."""
        wanted = (
            (self.message_id, letter.message.id),
            (self.execution_id, letter.message.execution_id),
            (self.route_id, letter.message.route_id),
            (self.adapter_name, letter.adapter_name),
            (self.stage_name, letter.stage_name),
            (self.error_code, letter.error.get("code")),
        )
        is_late_enough = self.dead_after is None or letter.dead_at > self.dead_after
        is_early_enough = self.dead_before is None or letter.dead_at < self.dead_before
        return (
            is_late_enough and is_early_enough and all(one is None or one == other for one, other in wanted)
        )
