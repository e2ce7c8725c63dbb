"""The audit log on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from adapters.http.wire.positions import cursor_of
from application.ports.audit_log import AuditPage
from domain.access.audit import AuditEntry


class AuditEntryResponse(Struct, frozen=True, kw_only=True):
    """Who did what to what, when, and what came of it. `owner` is null when nobody was recognised."""

    at: datetime
    owner: Annotated[str, Meta(examples=["key:01890a5d-ac96-774b-bcce-b302099a8057"])] | None
    name: Annotated[str, Meta(description="The key's name, or the person's.", examples=["nightly import"])]
    operation: Annotated[str, Meta(examples=["create_config"])]
    method: Annotated[str, Meta(examples=["POST"])]
    object: Annotated[str, Meta(description="The path that was asked for.", examples=["/api/v1/configs"])]
    outcome: Annotated[str, Meta(description="done, refused or failed", examples=["done"])]
    status: Annotated[int, Meta(examples=[201])]
    error_code: str | None
    request_id: Annotated[str, Meta(examples=["b7ad6b7169203331"])]
    address: Annotated[str, Meta(examples=["192.0.2.7"])]


class AuditListResponse(Struct, frozen=True, kw_only=True):
    """A page of the audit log, the latest first. `total` is exact up to 10,000."""

    entries: list[AuditEntryResponse]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


def audit_list_response(page: AuditPage, *, limit: int, offset: int) -> AuditListResponse:
    """A page of the audit log as it travels."""
    return AuditListResponse(
        entries=[_entry(one) for one in page.entries],
        total=page.total,
        is_total_exact=page.is_total_exact,
        limit=limit,
        offset=offset,
        has_more=page.following is not None,
        next_cursor=None if page.following is None else cursor_of(page.following),
    )


def _entry(entry: AuditEntry) -> AuditEntryResponse:
    names = (
        "at",
        "owner",
        "name",
        "operation",
        "method",
        "object",
        "status",
        "error_code",
        "request_id",
        "address",
    )
    return AuditEntryResponse(**{name: getattr(entry, name) for name in names}, outcome=entry.outcome.value)
