"""The audit log."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.wire.audit import AuditListResponse, audit_list_response
from adapters.http.wire.moments import Moment, in_utc
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.positions import position_at
from application.access.audit import Audit
from application.object_listing import InvalidCursor
from domain.access.audit import AuditFilter, AuditOutcome

UseCase = NamedDependency[SkipValidation[Audit]]


class AuditController(Controller):
    path = "/api/v1/audit"
    tags = ("audit",)

    @get(
        operation_id="list_audit_entries",
        summary="Read the audit log",
        opt={"errors": (InvalidCursor,)},
    )
    async def list_all(
        self,
        audit: UseCase,
        owner: Annotated[str | None, QueryParameter(description="Of this principal.")] = None,
        operation: Annotated[str | None, QueryParameter(description="Of this operation's id.")] = None,
        outcome: Annotated[AuditOutcome | None, QueryParameter(description="With this outcome.")] = None,
        request_id: Annotated[str | None, QueryParameter(description="Of this request.")] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Annotated[str | None, QueryParameter(description="Where an earlier page left off.")] = None,
    ) -> AuditListResponse:
        """Every change, every refusal, and every look at keys or at this log; the latest first."""
        wanted = AuditFilter(
            owner=owner,
            operation=operation,
            outcome=outcome,
            request_id=request_id,
            since=in_utc(since),
            until=in_utc(until),
        )
        page = await audit.list(wanted, limit=limit, offset=offset, before=position_at(cursor))
        return audit_list_response(page, limit=limit, offset=offset)
