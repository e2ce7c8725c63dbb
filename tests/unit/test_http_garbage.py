"""A request is gone when it is answered: nothing of it is left for Python's search for cyclic garbage."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from adapters.http.app import create_app
from tests.http_server import World


class Mark:
    """Goes with a request, and can be watched."""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/system/live"),
        ("GET", "/api/v1/adapters"),
        ("GET", "/api/v1/executions"),
        ("GET", "/nothing/here"),
        ("HEAD", "/api/v1/adapters"),
        ("OPTIONS", "/api/v1/adapters"),
        ("POST", "/api/v1/configs/validate"),
    ],
)
async def test_nothing_leads_back_to_a_request(method: str, path: str) -> None:
    app = create_app(World().bare_application())
    for _ in range(2):  # what is kept and remembered is made by the first
        await _answered(app, method, path)
    gc.collect()
    gc.disable()
    try:
        mark = await _answered(app, method, path)
        await asyncio.sleep(0)
        assert mark() is None
    finally:
        gc.enable()


async def _answered(app: Any, method: str, path: str) -> weakref.ref[Mark]:
    mark, statuses = Mark(), []

    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"config_yaml": "routes: {}"}', "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "http_version": "1.1", "scheme": "http", "method": method, "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 4000), "server": ("127.0.0.1", 80), "state": {}, "mark": mark,
    }  # fmt: skip
    await app(scope, receive, send)
    assert statuses[0] in {200, 204, 404}
    return weakref.ref(mark)
