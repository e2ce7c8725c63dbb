"""The root, the API's description, and a page to read it on, which needs no network."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Redirect

from adapters.http.access.describing import without_keys
from adapters.http.bodies import JsonRequest
from adapters.http.metrics import MEDIA_TYPE as METRICS
from adapters.http.metrics import exposition
from adapters.http.openapi import openapi_document
from adapters.http.settings import HttpSettings
from adapters.http.toon import toon
from application.diagnostics import Diagnostics
from application.health import SystemHealth

Settings = NamedDependency[SkipValidation[HttpSettings]]
Diagnosing = NamedDependency[SkipValidation[Diagnostics]]
Healthy = NamedDependency[SkipValidation[SystemHealth]]

TOON = "text/toon"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"


class PagesController(Controller):
    path = "/"
    include_in_schema = False

    @get()
    async def root(self, request: JsonRequest, settings: Settings) -> Response[Any]:
        """A browser is sent to the page, a program is told where things are."""
        if "text/html" in request.headers.get("accept", ""):
            return Redirect("/docs", status_code=307)
        return Response(
            {
                "name": "factflow-server",
                "version": settings.version,
                "docs": "/docs",
                "openapi": "/openapi.json",
                "openapi_toon": "/openapi.toon",
                "health": "/api/v1/system/health",
            }
        )

    @get("/openapi.json", opt={"unchanging": True})
    async def openapi(self, request: JsonRequest, settings: Settings) -> Response[bytes]:
        """OpenAPI 3.1, made once."""
        return Response(_described(request, settings), media_type="application/json")

    @get("/openapi.toon", opt={"unchanging": True})
    async def openapi_toon(self, request: JsonRequest, settings: Settings) -> Response[bytes]:
        """The same as TOON, which costs a language model fewer tokens; made once."""
        state = request.app.state
        if "openapi_toon" not in state:
            state["openapi_toon"] = toon(msgspec.json.decode(_described(request, settings)))
        return Response(state["openapi_toon"], media_type=TOON)

    @get("/metrics")
    async def metrics(
        self, request: JsonRequest, diagnostics: Diagnosing, health: Healthy
    ) -> Response[bytes]:
        """For Prometheus: this process's requests and routes, and the totals of the database."""
        told = await exposition(request.app.state["metrics"], diagnostics, health)
        return Response(told, media_type=METRICS)

    @get("/docs", opt={"unchanging": True})
    async def docs(self) -> Response[bytes]:
        """One page that renders `/openapi.json`."""
        page = files("adapters.http").joinpath("api_page.html").read_bytes()
        headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
        return Response(page, media_type="text/html", headers=headers)


def _described(request: JsonRequest, settings: HttpSettings) -> bytes:
    state = request.app.state
    if "openapi_json" not in state:
        document = openapi_document(request.app, title="factflow-server", version=settings.version)
        if not settings.needs_keys:
            document = without_keys(document)
        state["openapi_json"] = msgspec.json.encode(document)
    return bytes(state["openapi_json"])
