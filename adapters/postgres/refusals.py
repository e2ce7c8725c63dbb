"""Tells a server that will not have us from one that is merely away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Self

import psycopg
import psycopg_pool

from adapters.postgres.answered_connection import AnsweredConnection
from adapters.postgres.translation import refusal


class Refusals:
    """Why connecting has failed, for whoever waits for the first connection of a pool, which itself tries on."""

    def __init__(self) -> None:
        self._latest: psycopg.Error | None = None
        self._is_refused = asyncio.Event()

    def note(self, error: psycopg.Error) -> None:
        self._latest = error
        if refusal(error) is not None:
            self._is_refused.set()

    async def unless_refused(self, connected: Awaitable[None]) -> None:
        """Wait for the connection; raises what refused us, or, when the time is up, why it has failed so far."""
        waiting = asyncio.ensure_future(connected)
        refused = asyncio.ensure_future(self._is_refused.wait())
        try:
            await asyncio.wait({waiting, refused}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and self._latest is not None:
                raise (refusal(self._latest) or self._latest) from self._latest
            await waiting
        except psycopg_pool.PoolTimeout as error:
            raise (self._latest or error) from error
        finally:
            for task in (waiting, refused):
                task.cancel()
            await asyncio.gather(waiting, refused, return_exceptions=True)


class WatchedConnection(AnsweredConnection):
    """A connection that notes why it could not be made."""

    @classmethod
    async def connect(cls, conninfo: str = "", *, refusals: Refusals, **options: Any) -> Self:  # type: ignore[override]  # the pool passes what it was given
        try:
            return await super().connect(conninfo, **options)
        except psycopg.Error as error:
            refusals.note(error)
            raise
