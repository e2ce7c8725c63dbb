"""Pages of lists."""

from __future__ import annotations

from typing import Annotated, TypedDict
from uuid import UUID

from litestar.params import QueryParameter

MAX_OFFSET = 1_000_000_000

Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many to return at most.")]
Offset = Annotated[int, QueryParameter(ge=0, le=MAX_OFFSET, description="How many to pass over.")]
Cursor = Annotated[str | None, QueryParameter(description="The `next_cursor` of the page before.")]
ExecutionCursor = Annotated[
    UUID | None, QueryParameter(description="The `next_cursor` of the page before; `offset` counts from it.")
]


class PageNumbers(TypedDict):
    """What every list says of itself besides its items."""

    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


def page_numbers(
    returned: int, *, total: int, limit: int, offset: int, next_cursor: str | None = None
) -> PageNumbers:
    """The numbers of a page that returns so many items."""
    has_more = offset + returned < total
    return PageNumbers(total=total, limit=limit, offset=offset, has_more=has_more, next_cursor=next_cursor)
