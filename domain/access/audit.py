"""What is written of who did what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LONGEST_TEXT = 2000


class AuditOutcome(StrEnum):
    """What became of a request: done; refused to whoever asked; or failed, whoever was to blame."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


def outcome_of(status: int) -> AuditOutcome:
    """The outcome that an HTTP status tells of."""
    if status in {401, 403, 429}:
        return AuditOutcome.REFUSED
    return AuditOutcome.DONE if 100 <= status < 400 else AuditOutcome.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to what, when, and what came of it.

    ``object`` is the path of what was asked for, without its query. ``owner`` is None when nobody was recognised.
    ``position`` orders entries by when they were written; it is 0 before that.
    """

    at: datetime
    owner: str | None
    name: str
    operation: str
    method: str
    object: str
    outcome: AuditOutcome
    status: int
    error_code: str | None = None
    request_id: str = ""
    address: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are meant: all that fit every field that is not None. ``since`` counts, ``until`` does not."""

    owner: str | None = None
    operation: str | None = None
    outcome: AuditOutcome | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def means(self, entry: AuditEntry) -> bool:
        """Whether an entry is meant."""
        pairs = (
            (self.owner, entry.owner),
            (self.operation, entry.operation),
            (self.outcome, entry.outcome),
            (self.request_id, entry.request_id),
        )
        return (
            all(wanted is None or wanted == found for wanted, found in pairs)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


def storable(text: str) -> str:
    """A text as the log keeps it: no longer than 2,000 characters, and what no database takes as its escape."""
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1] + "…"
