"""Request bodies that are files: taken piece by piece, never held whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from litestar.exceptions import InternalServerException

from adapters.http.bodies import JsonRequest
from adapters.http.errors import BodyTooLarge, UploadBrokenOff


async def uploaded(request: JsonRequest, *, limit: int) -> AsyncIterator[bytes]:
    """The body in pieces; raises BodyTooLarge over `limit` bytes, UploadBrokenOff when the client goes away."""
    message = f"an upload has at most {limit} bytes"
    if (request.content_length or 0) > limit:
        raise BodyTooLarge(message)
    taken = 0
    async with aclosing(request.stream()) as pieces:
        try:
            async for piece in pieces:
                taken += len(piece)
                if taken > limit:
                    raise BodyTooLarge(message)
                if piece:
                    yield piece
        except InternalServerException as error:
            raise UploadBrokenOff from error
