"""Keeps work on large contents off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")

SMALL = 64 * 1024
"""Bytes or characters that are decoded or hashed more quickly than a thread is woken."""


async def offloaded(size: int, work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """The result of quick work on that many bytes: done here when they are few, else in a thread."""
    if size <= SMALL:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
