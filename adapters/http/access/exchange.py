"""What is known of a request while it is answered, and what the audit log says of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar.types import HTTPScope, Scope

from adapters.http.access.operations import Operation
from domain.access.audit import AuditEntry, AuditOutcome, outcome_of
from domain.access.principal import Principal

_PLACE = "factflow_exchange"
CLIENT_GONE = 499


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request: who asks for which operation, as far as that is known yet."""

    operation: Operation | None = None
    principal: Principal | None = None
    address: str = ""
    error_code: str | None = None

    def is_audited(self, status: int) -> bool:
        """Whether what has become of it belongs into the audit log: what changes something, and what was refused."""
        if self.operation is None:
            return False
        is_noted = self.operation.changes or self.operation.is_delicate
        return is_noted or outcome_of(status) is AuditOutcome.REFUSED

    def entry(self, scope: HTTPScope, status: int, *, at: datetime, request_id: str) -> AuditEntry:
        """What is written of it."""
        return AuditEntry(
            at=at,
            owner=self.principal.owner if self.principal else None,
            name=self.principal.name if self.principal else "",
            operation=self.operation.name if self.operation else "",
            method=scope["method"],
            object=scope["path"],
            outcome=outcome_of(status),
            status=status,
            error_code=self.error_code,
            request_id=request_id,
            address=self.address,
        )


def begin(scope: Scope) -> Exchange:
    """A new exchange, kept with the request."""
    exchange = Exchange()
    _state(scope)[_PLACE] = exchange
    return exchange


def end(scope: Scope) -> None:
    """Forget all that is kept with a request: it leads back to the request, which only a search for garbage would free."""
    _state(scope).clear()


def exchange_of(scope: Scope) -> Exchange:
    """The exchange of a request."""
    found: Exchange = _state(scope).get(_PLACE) or begin(scope)
    return found


def _state(scope: Scope) -> dict[str, Any]:
    state: dict[str, Any] = scope.setdefault("state", {})
    return state
