"""The settings of how long what is kept is kept, which are part of the server's."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from entrypoints.access_settings import AccessSettings
from entrypoints.setting_values import SERVERS, number, shared

_DAYS = number(1, 36_500)
_about = partial(shared, by=SERVERS)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetentionSettings(AccessSettings):
    """Days after which what is old is forgotten; by servers alone, each by its own settings."""

    execution_retention_days: float = field(
        default=30.0,
        metadata=_about(
            _DAYS,
            "How many days executions are kept after their end, with their messages and dead letters; what they stored stays.",
        ),
    )
    lineage_retention_days: float = field(
        default=30.0,
        metadata=_about(
            _DAYS, "How many days lineage is kept, and never shorter than the execution that it is of."
        ),
    )
    chat_retention_days: float = field(
        default=365.0,
        metadata=_about(_DAYS, "How many days chat threads are kept after the last question in them."),
    )
    webhook_retention_days: float = field(
        default=30.0,
        metadata=_about(_DAYS, "How many days settled webhook deliveries are kept, with their events."),
    )
    audit_retention_days: float = field(
        default=365.0, metadata=_about(_DAYS, "How many days entries of the audit log are kept.")
    )
    idempotency_retention_hours: float = field(
        default=24.0,
        metadata=_about(
            number(1, 8760), "How many hours the answer to a request with an idempotency key is kept."
        ),
    )
