"""Lets a request through to its operation when whoever sent it may: the one place where that is decided."""

from __future__ import annotations

from dataclasses import dataclass

from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from adapters.http.access.credentials import BEARER, Credentials, credentials_of
from adapters.http.access.exchange import Exchange, exchange_of
from adapters.http.access.operations import operation_of
from adapters.http.edge import is_http
from adapters.http.settings import HttpSettings
from application.access.doorkeeper import Doorkeeper
from domain.access.errors import NotAuthenticated, ScopeMissing
from domain.access.principal import LOCAL, Principal

PLACE = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Decides over the requests of one application."""

    doorkeeper: Doorkeeper
    settings: HttpSettings

    async def admit(self, scope: HTTPScope) -> None:
        """Find out who asks and for what; raises what keeps them from it, a Refused.

        On a server without authentication everybody is LOCAL, and keys are not looked at.
        """
        exchange = exchange_of(scope)
        exchange.operation = operation = operation_of(_handler(scope))
        if not self.settings.needs_keys:
            exchange.address = _peer(scope)
            exchange.principal = LOCAL
            return
        credentials = self._credentials(scope)
        exchange.address = self._address(credentials)
        if operation.is_public:
            return
        exchange.principal = principal = await self._principal(credentials, exchange)
        self.doorkeeper.admit(principal)
        if operation.scope is not None and not principal.may(operation.scope):
            raise ScopeMissing(str(operation.scope))

    def knows(self, handler: HTTPRouteHandler) -> bool:
        """Whether `admit` decides without looking anybody up: it then takes no time."""
        return not self.settings.needs_keys or operation_of(handler).is_public

    def _credentials(self, scope: HTTPScope) -> Credentials:
        return credentials_of(
            scope,
            user_header=self.settings.sso_user_header,
            groups_header=self.settings.sso_groups_header,
        )

    def _address(self, credentials: Credentials) -> str:
        """Where the request comes from: what a trusted proxy says, else whoever is connected."""
        is_told = credentials.forwarded_for and self.doorkeeper.sign_on.trusts(credentials.peer)
        return credentials.forwarded_for if is_told else credentials.peer

    async def _principal(self, credentials: Credentials, exchange: Exchange) -> Principal:
        if not credentials.has_key:
            introduced = self.doorkeeper.introduced(credentials.peer, credentials.user, credentials.groups)
            if introduced is not None:
                return introduced
        if credentials.token:
            return await self.doorkeeper.holder(credentials.token, address=exchange.address)
        if credentials.scheme and credentials.scheme != BEARER:
            raise NotAuthenticated("an API key is sent as Authorization: Bearer, and in no other way")
        raise NotAuthenticated


def admission(app: ASGIApp) -> ASGIApp:
    """The application behind the gate of whoever serves it."""

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        if is_http(scope):
            gate: Gate = scope["litestar_app"].state[PLACE]
            await gate.admit(scope)
        await app(scope, receive, send)

    return admitted


def _handler(scope: HTTPScope) -> HTTPRouteHandler:
    handler = scope["route_handler"]
    if not isinstance(handler, HTTPRouteHandler):
        raise NotAuthenticated("only requests over HTTP are answered")
    return handler


def _peer(scope: HTTPScope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
