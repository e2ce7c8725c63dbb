"""Writes into the audit log what has become of a request, before the answer is sent."""

from __future__ import annotations

from litestar.types import HTTPScope, Message, Send

from adapters.http.access.exchange import CLIENT_GONE, Exchange
from adapters.http.correlation import REQUEST_ID
from application.access.audit import Audit


class Recording:
    """One answer on its way to the client."""

    def __init__(self, audit: Audit, exchange: Exchange, scope: HTTPScope, send: Send) -> None:
        self._audit = audit
        self._exchange = exchange
        self._scope = scope
        self._send = send
        self._is_answered = False

    async def send(self, message: Message) -> None:
        """Pass a message on; the head of the answer waits until it is written what it says."""
        if message["type"] == "http.response.start":
            self._is_answered = True
            await self._record(message["status"])
        await self._send(message)

    async def close(self) -> None:
        """Record what was done for a client that did not wait for the answer."""
        operation = self._exchange.operation
        if not self._is_answered and operation is not None and operation.changes:
            await self._record(CLIENT_GONE)

    async def _record(self, status: int) -> None:
        if self._exchange.is_audited(status):
            entry = self._exchange.entry(
                self._scope, status, at=self._audit.clock.now(), request_id=REQUEST_ID.get()
            )
            await self._audit.record(entry)
