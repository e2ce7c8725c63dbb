"""An execution: one run of a pipeline, and the state machine of its status."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound, Refused
from domain.json import JsonObject


class ExecutionNotFound(NotFound):
    """There is no execution with that id or tag."""

    code = "execution_not_found"


class StatusChangeNotAllowed(Conflict):
    """The execution's status cannot change in that way."""

    code = "status_change_not_allowed"


class TagTaken(Conflict):
    """Another execution already has that tag."""

    code = "tag_taken"


class InvalidTag(Invalid):
    """A tag has 1 to 200 characters, no control characters, and is not a UUID."""

    code = "invalid_tag"


class TooManyConcurrentExecutions(Refused):
    """As many executions as the server is set to run at once are already running."""

    code = "too_many_concurrent_executions"


class RedriveNotAllowed(Conflict):
    """Dead letters of a cancelled execution cannot be redriven."""

    code = "redrive_not_allowed"


class ExecutionStatus(StrEnum):
    """Where an execution stands. A row is born ``running``."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens unless dead messages are redriven."""
        return self in _TERMINAL

    def may_become(self, after: ExecutionStatus) -> bool:
        """Whether it may be set to that; an ended one runs again by ``reopened`` only, with what is to run."""
        return after in _ALLOWED[self]


_TERMINAL = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})
_ALLOWED: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    ExecutionStatus.RUNNING: frozenset(ExecutionStatus) - {ExecutionStatus.RUNNING},
    ExecutionStatus.INTERRUPTED: frozenset(ExecutionStatus) - {ExecutionStatus.INTERRUPTED},
    **dict.fromkeys(_TERMINAL, frozenset[ExecutionStatus]()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCounts:
    """How an execution's messages stand: ``outstanding`` ones are queued or claimed, the rest are settled."""

    outstanding: int = 0
    done: int = 0
    skipped: int = 0
    dead: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """Every message the execution has ever had."""
        return self.outstanding + self.settled

    @property
    def settled(self) -> int:
        """The messages with which the engine is finished."""
        return self.done + self.skipped + self.dead + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a pipeline config, with the config frozen as it was at the start.

    ``config_snapshot`` is ``{"config_id", "name", "version", "config_hash", "pipeline": <the YAML as plain values>}``
    plus what replay and recovery must find unchanged (adapter versions, slot identity). ``generation`` counts from 1
    how often it has been begun or reopened; with more than ``max_dead_letters`` dead messages it fails, None is no limit.
    From ``paused_at`` on it is paused as a whole; its status says nothing of that.
    """

    id: UUID
    config_id: UUID
    config_snapshot: JsonObject
    started_at: datetime
    status: ExecutionStatus = ExecutionStatus.RUNNING
    completed_at: datetime | None = None
    parent_execution_id: UUID | None = None
    replay_source: str | None = None
    tag: str | None = None
    root_correlation_id: UUID | None = None
    metadata: JsonObject = field(default_factory=dict)
    error_info: JsonObject | None = None
    generation: int = 1
    max_dead_letters: int | None = None
    counts: MessageCounts = MessageCounts()
    paused_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.tag is not None:
            require_valid_tag(self.tag)

    @property
    def is_paused(self) -> bool:
        """Whether it is paused as a whole; one that has ended is not, though its pause counts if it is reopened."""
        return _is_paused(self.paused_at, self.status)

    def becoming(
        self, status: ExecutionStatus, *, at: datetime, error_info: JsonObject | None = None
    ) -> Execution:
        """The execution after a status change; raises StatusChangeNotAllowed."""
        if not self.status.may_become(status):
            raise StatusChangeNotAllowed(f"a {self.status} execution cannot become {status}")
        completed_at = at if status.is_terminal else None
        return replace(
            self, status=status, completed_at=completed_at, error_info=error_info or self.error_info
        )

    def reopened(self) -> Execution:
        """The execution once dead messages of it wait again: an ended one runs in its next generation.

        What it had failed with is forgotten. Raises RedriveNotAllowed for a cancelled one.
        """
        if self.status is ExecutionStatus.CANCELLED:
            raise RedriveNotAllowed
        if not self.status.is_terminal:
            return self
        running = ExecutionStatus.RUNNING
        return replace(
            self, status=running, completed_at=None, error_info=None, generation=self.generation + 1
        )


class ExecutionSummary(NamedTuple):
    """What a list says of an execution: everything but what it was begun with and what it failed with.

    A tuple, because it is made for each row of a page: an `Execution` takes eight times as long. Stores read the columns
    of these names, in this order.
    """

    id: UUID
    config_id: UUID
    status: ExecutionStatus
    started_at: datetime
    completed_at: datetime | None
    parent_execution_id: UUID | None
    replay_source: str | None
    tag: str | None
    outstanding: int
    done: int
    skipped: int
    dead: int
    cancelled: int
    paused_at: datetime | None

    @property
    def is_paused(self) -> bool:
        """As that of the execution."""
        return _is_paused(self.paused_at, self.status)

    @property
    def total(self) -> int:
        """Every message the execution has ever had."""
        return self.outstanding + self.done + self.skipped + self.dead + self.cancelled


def _is_paused(paused_at: datetime | None, status: ExecutionStatus) -> bool:
    return paused_at is not None and not status.is_terminal


def has_too_many_dead(dead: int, most: int | None) -> bool:
    """Whether a run with so many dead messages must fail; ``most`` is its ``max_dead_letters``, None is no limit."""
    return most is not None and dead > most


def too_many_dead(dead: int, most: int) -> JsonObject:
    """The ``error_info`` of an execution that failed for its dead messages."""
    return {
        "code": "too_many_dead_letters",
        "message": f"{dead} messages are dead, and {most} is the most that the execution may have",
    }


def require_valid_tag(tag: str) -> None:
    """Raise InvalidTag for what could be confused with an id or not be typed in a URL."""
    looks_like_id = len(tag) in {32, 36} and _is_uuid(tag)
    if not 1 <= len(tag) <= 200 or not tag.isprintable() or "/" in tag or tag != tag.strip() or looks_like_id:
        raise InvalidTag


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
