"""Answers that stay the same while a server runs: made once, and then sent without asking Litestar again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from adapters.http.access.admission import Gate
from adapters.http.access.exchange import exchange_of
from adapters.http.compression import Compressing, compressed, encoding_of
from adapters.http.edge import is_http
from adapters.http.error_handling import log_failure
from adapters.http.parameters import parameters_of, wire_name
from adapters.http.refusing import refuse
from domain.errors import FactflowError, Refused

OPT = "unchanging"
"""What an operation says of itself in ``opt`` when neither headers nor data have a say in its answer."""

_Key = tuple[str, bytes, str | None]
_Names = frozenset[bytes]

MOST_KEPT = 100
LONGEST_QUERY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    path_template: str
    handler: HTTPRouteHandler
    headers: list[tuple[bytes, bytes]]
    body: bytes


class UnchangingAnswers:
    """Keeps the answers of such operations, by path, query and encoding. Who asks is looked at every time.

    Of a query what the operation does not take has no say, and the oldest answer of a path makes room for a new one: so
    nobody can have others forgotten by asking for one in many ways.

    ``patient`` lays around an application what limits the time for an answer.
    """

    def __init__(
        self, app: ASGIApp, routes: Iterable[BaseRoute], *, patient: Callable[[ASGIApp], ASGIApp]
    ) -> None:
        self._app = compressed(patient(app))
        self._patient = patient
        self._names: Mapping[str, _Names] = dict(_paths(routes))
        self._kept: dict[_Key, _Kept] = {}
        self._gate: Gate | None = None

    def begin(self, gate: Gate) -> None:
        """Forget what was kept, and ask this gate from now on."""
        self._kept.clear()
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, else pass the request on, and keep the answer if it is one of those."""
        if not is_http(scope) or scope["path"] not in self._names or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        kept = self._kept.get(self._key(scope))
        if kept is None:
            await self._answer_and_keep(scope, receive, send)
        elif self._gate is None or self._gate.knows(kept.handler):
            await self._answer_again(kept, scope, receive, send)
        else:
            await self._patient(partial(self._answer_again, kept))(scope, receive, send)

    async def _answer_again(self, kept: _Kept, scope: Any, receive: Receive, send: Send) -> None:
        scope["route_handler"] = kept.handler
        scope["path_template"] = kept.path_template
        if self._gate is not None:
            try:
                await self._gate.admit(scope)
            except FactflowError as error:
                await _refuse(error, scope, send)
                return
            except Exception:  # noqa: BLE001 (it is told and logged as whatever goes wrong elsewhere)
                await self._answer_and_keep(scope, receive, send)
                return
        await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
        await send({"type": "http.response.body", "body": kept.body, "more_body": False})

    async def _answer_and_keep(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        heard: list[Message] = []

        async def overheard(message: Message) -> None:
            heard.append({**message})  # type: ignore[arg-type]  # a copy: others write into it on its way
            await send(message)

        await self._app(scope, receive, overheard)
        key = self._key(scope)
        if len(key[1]) <= LONGEST_QUERY:
            self._keep(key, scope, heard)

    def _keep(self, key: _Key, scope: HTTPScope, heard: Iterable[Any]) -> None:
        start, *rest = heard
        if start["status"] != 200:
            return
        handler = scope["route_handler"]
        if isinstance(handler, HTTPRouteHandler):
            if len(self._kept) >= MOST_KEPT and key not in self._kept:
                del self._kept[self._oldest(key[0])]
            self._kept[key] = _Kept(
                path_template=scope["path_template"],
                handler=handler,
                headers=list(start["headers"]),
                body=b"".join(message.get("body", b"") for message in rest),
            )

    def _oldest(self, path: str) -> _Key:
        """Of the path if it has any, so that the variants of one do not push out the others."""
        return next((key for key in self._kept if key[0] == path), next(iter(self._kept)))

    def _key(self, scope: HTTPScope) -> _Key:
        query = scope["query_string"]
        if query:
            query = _taken(query, self._names[scope["path"]])
        return scope["path"], query, encoding_of(scope)


async def _refuse(error: FactflowError, scope: HTTPScope, send: Send) -> None:
    exchange_of(scope).error_code = error.code
    if not isinstance(error, Refused):
        log_failure(error, scope)
    await refuse(error, Compressing(encoding_of(scope), send).send, instance=scope["path"])


def _taken(query: bytes, names: _Names) -> bytes:
    """Of a query the parameters with those names, as they were written."""
    said = (pair for pair in query.split(b"&") if unquote_to_bytes(pair.partition(b"=")[0]) in names)
    return b"&".join(said)


def _paths(routes: Iterable[BaseRoute]) -> Iterable[tuple[str, _Names]]:
    """The paths of those operations, and the names of what each takes from a query."""
    for route in routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if "GET" in handler.http_methods and handler.opt.get(OPT):
                    names = (wire_name(*pair) for pair in parameters_of(handler).items())
                    yield route.path, frozenset(name.encode() for name in names)
