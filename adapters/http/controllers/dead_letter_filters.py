"""Which dead letters a query means, for every operation that takes such a query."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation

from adapters.http.wire.moments import ExclusiveMoment, in_utc
from domain.dead_letter import DeadLetterFilter

Exact = Annotated[str | None, QueryParameter(description="Only those with exactly this.")]
WantedDeadLetters: TypeAlias = NamedDependency[SkipValidation[DeadLetterFilter]]
"""What a handler gets as ``wanted``: the filter of the query, of whatever execution."""


def _wanted(
    route_id: Exact = None,
    adapter_name: Exact = None,
    stage_name: Exact = None,
    error_code: Exact = None,
    dead_after: ExclusiveMoment = None,
    dead_before: ExclusiveMoment = None,
) -> DeadLetterFilter:
    """Raises InvalidDeadLetterFilter."""
    return DeadLetterFilter(
        route_id=route_id,
        adapter_name=adapter_name,
        stage_name=stage_name,
        error_code=error_code,
        dead_after=in_utc(dead_after),
        dead_before=in_utc(dead_before),
    )


WANTED = {"wanted": Provide(_wanted, sync_to_thread=False)}
