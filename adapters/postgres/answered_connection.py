"""A connection on which an answer comes in time, or that breaks."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from math import inf
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow


class AnsweredConnection(AsyncConnection[TupleRow]):
    """Waits for each answer ``answer_seconds`` and then hangs up, which is an OperationalError to whoever waits.

    The kernel notices a peer that is gone, and the server ends a statement that takes too long. Neither helps where
    something in between takes what is sent and passes nothing on.
    """

    answer_seconds = inf

    async def wait(self, *arguments: Any, **options: Any) -> Any:
        """Every round trip of a connection goes through here."""
        if self.answer_seconds == inf:
            return await super().wait(*arguments, **options)
        giving_up = asyncio.get_running_loop().call_later(self.answer_seconds, self._hang_up)
        try:
            return await super().wait(*arguments, **options)
        finally:
            giving_up.cancel()

    def _hang_up(self) -> None:
        # What is closed under libpq's feet may be another's by then; what is shut down stays its own.
        with suppress(OSError), socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)
