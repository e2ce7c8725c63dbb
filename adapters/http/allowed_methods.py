"""What `OPTIONS` answers: the methods of a path.

Litestar makes that answer when the first operation of a path is registered, and forgets the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Message, Receive, Scope, Send


def methods_by_path(routes: Iterable[BaseRoute]) -> Mapping[str, bytes]:
    """The value of `Allow` for each path of an application."""
    return {
        route.path_format: ", ".join(sorted({*route.methods, "OPTIONS"})).encode()
        for route in routes
        if isinstance(route, HTTPRoute)
    }


def telling_methods(app: ASGIApp, allowed: Mapping[str, bytes]) -> ASGIApp:
    """The application, with the methods of the path in its answers to `OPTIONS`."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            methods = allowed.get(str(scope.get("path_template")))
            if message["type"] == "http.response.start" and methods is not None:
                kept = [header for header in message["headers"] if header[0].lower() != b"allow"]
                message["headers"] = [*kept, (b"allow", methods)]
            await send(message)

        await app(scope, receive, told if scope.get("method") == "OPTIONS" else send)

    return call
