"""Sends a problem document where Litestar is not at hand to do it."""

from __future__ import annotations

import msgspec
from litestar.types import Send

from adapters.http.problems import MEDIA_TYPE, headers_of, problem
from domain.errors import FactflowError


async def refuse(error: FactflowError, send: Send, *, instance: str | None = None) -> None:
    """Answer with the problem of an error; ``instance`` is the path of the request."""
    document = problem(error, instance=instance)
    body = msgspec.json.encode(document)
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **headers_of(error)}
    await send(
        {
            "type": "http.response.start",
            "status": document.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
