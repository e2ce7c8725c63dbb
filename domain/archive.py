"""Archives: what an execution kept, packed into one ZIP file in the background."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound

MAX_NAMES = 100
MAX_TEXT = 1024
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class ArchiveNotFound(NotFound):
    """There is no archive with that id: they are forgotten a day after they have ended."""

    code = "archive_not_found"


class ArchiveNotReady(Conflict):
    """The archive cannot be downloaded: it is not ready."""

    code = "archive_not_ready"


class InvalidSelection(Invalid):
    """An archive takes up to 100 routes and stages, of at most 1,024 characters each and without NUL."""

    code = "invalid_selection"


class NothingSelected(Invalid):
    """The execution kept nothing of what was asked for."""

    code = "nothing_selected"


class ArchiveStatus(StrEnum):
    """How far an archive has come; only one that is preparing changes."""

    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSelection:
    """Which objects of an execution are meant; what is empty restricts nothing.

    ``stages`` are named as `<stage>` or `<route>/<stage>`. ``path`` is how the key goes on after `executions/<id>/`.
    ``extensions`` are endings of the key in any case, with their dot or without.
    """

    execution_id: UUID
    routes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    path: str = ""
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        texts = [*self.routes, *self.stages, *self.extensions, self.path]
        if len(texts) > MAX_NAMES or any(len(text) > MAX_TEXT or _UNSTORABLE.search(text) for text in texts):
            raise InvalidSelection

    @property
    def base(self) -> str:
        """How the keys of all that the execution kept begin."""
        return f"executions/{self.execution_id}/"

    @property
    def prefix(self) -> str:
        """How the keys begin."""
        return self.base + self.path

    def has(self, key: str) -> bool:
        """Whether the object of that key is meant."""
        where, _, _ = key.removeprefix(self.base).rpartition("/")
        route, _, stage = where.partition("/")
        return (
            key.startswith(self.prefix)
            and (not self.routes or route in self.routes)
            and (not self.stages or stage in self.stages or where in self.stages)
            and (not self.extensions or key.lower().endswith(self._endings))
        )

    @property
    def _endings(self) -> tuple[str, ...]:
        return tuple("." + one.strip().lower().removeprefix(".") for one in self.extensions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One archive. ``total`` objects are to be packed, and is a lower bound until ``is_total_exact``.

    ``bytes_packed`` counts what the objects hold, ``size`` what the finished file holds. ``alive_at`` is when whoever
    prepares it last said so, None while nobody does; ``attempts`` counts who has begun to.
    """

    id: UUID
    selection: ObjectSelection
    filename: str
    created_at: datetime
    includes_metadata: bool = True
    status: ArchiveStatus = ArchiveStatus.PREPARING
    total: int = 0
    is_total_exact: bool = True
    processed: int = 0
    bytes_packed: int = 0
    size: int | None = None
    error: str | None = None
    attempts: int = 0
    alive_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def key(self) -> str:
        """Where the file is stored."""
        return f"archives/{self.id}.zip"

    @property
    def progress(self) -> float:
        """The share of the objects that are packed, from 0 to 1."""
        if self.status is ArchiveStatus.READY:
            return 1.0
        return min(1.0, self.processed / self.total) if self.total else 0.0

    def ended(
        self, status: ArchiveStatus, *, at: datetime, size: int | None = None, error: str | None = None
    ) -> Archive:
        """The archive when nothing more happens to it."""
        return replace(self, status=status, size=size, error=error, ended_at=at, alive_at=None)
