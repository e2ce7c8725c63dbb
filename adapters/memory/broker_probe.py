"""Brokers that are words."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from application.ports.broker_probe import Attempts, BrokerTarget
from domain.errors import Unavailable
from domain.outbound import OutboundPolicy, require_public


class MemoryBrokerProbe:
    """The ``BrokerProbe`` port over the passwords of brokers by their hosts; others cannot be reached."""

    def __init__(
        self, passwords: Mapping[str, str] | None = None, policy: OutboundPolicy | None = None
    ) -> None:
        self._passwords = dict(passwords or {})
        self._policy = policy or OutboundPolicy()

    def examine(self, target: BrokerTarget) -> None:
        """See the port."""
        if not target.host.strip("0123456789."):
            require_public([ip_address(target.host)], self._policy)

    async def probe(self, target: BrokerTarget, trial: Attempts) -> None:
        """See the port."""

        async def examined() -> None:
            self.examine(target)

        await trial.attempt("look up the name", examined)
        await trial.attempt("connect", lambda: _require(target.host in self._passwords, "no connection"))
        if target.is_encrypted:
            await trial.attempt("TLS handshake", lambda: _require(True, ""))  # noqa: FBT003  # always well
        is_known = self._passwords.get(target.host) == target.password
        await trial.attempt("STOMP CONNECT", lambda: _require(is_known, "the broker says: who are you?"))
        if target.messages:
            await trial.attempt("publish and receive", lambda: _require(True, ""))  # noqa: FBT003  # always well


async def _require(condition: bool, otherwise: str) -> None:  # noqa: FBT001  # the one thing it is about
    if not condition:
        raise Unavailable(otherwise)
