"""The root, the API's description, and a page to read it on, which needs no network."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Redirect

from adapters.http.bodies import JsonRequest
from adapters.http.openapi import openapi_document
from adapters.http.settings import HttpSettings

Settings = NamedDependency[SkipValidation[HttpSettings]]

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
                "health": "/api/v1/system/health",
            }
        )

    @get("/openapi.json")
    async def openapi(self, request: JsonRequest, settings: Settings) -> Response[bytes]:
        """OpenAPI 3.1, made once."""
        state = request.app.state
        if "openapi_json" not in state:
            document = openapi_document(request.app, title="factflow-server", version=settings.version)
            state["openapi_json"] = msgspec.json.encode(document)
        return Response(state["openapi_json"], media_type="application/json")

    @get("/docs")
    async def docs(self) -> Response[bytes]:
        """One page that renders `/openapi.json`."""
        page = files("adapters.http").joinpath("api_page.html").read_bytes()
        headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
        return Response(page, media_type="text/html", headers=headers)
