"""Moments in queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from litestar.params import QueryParameter

Moment = Annotated[
    datetime | None,
    QueryParameter(description="As in RFC 3339, such as `2026-01-31T12:00:00Z`; UTC without an offset."),
]
ExclusiveMoment = Annotated[
    datetime | None,
    QueryParameter(
        description="As in RFC 3339, such as `2026-01-31T12:00:00Z`; UTC without an offset. Exclusive."
    ),
]


def in_utc(moment: datetime | None) -> datetime | None:
    """The moment; one without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
