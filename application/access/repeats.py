"""Requests that may be repeated: each is done once, and a repeat is told what the first was answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from application.ports.clock import Clock
from application.ports.idempotency_records import IdempotencyRecords
from domain.errors import FactflowError
from domain.idempotency import MOST_BODY_BYTES, AnswerNotKept, KeptAnswer, is_final

log = logging.getLogger(__name__)

TAKEN_UP_SECONDS = 600.0
"""For how long at least nobody else does what a process that has died was doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """A request that is to be done now, under a token that nobody else has."""

    owner: str
    key: str
    token: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What is kept of requests with an idempotency key.

    Whoever has taken a request up has ``taken_up_seconds``, again and again while it is done; so long a repeat has to
    wait when the process dies over it.
    """

    records: IdempotencyRecords
    clock: Clock
    taken_up_seconds: float = TAKEN_UP_SECONDS

    async def begin(self, owner: str, key: str, fingerprint: str) -> TakenUp | KeptAnswer:
        """Take a request up, or tell what it was answered.

        Raises IdempotencyInFlight, IdempotencyKeyReused, AnswerNotKept.
        """
        taken = TakenUp(owner=owner, key=key, token=uuid4())
        now = self.clock.now()
        answer = await self.records.begin(
            owner,
            key,
            fingerprint=fingerprint,
            token=taken.token,
            now=now,
            until=now + timedelta(seconds=self.taken_up_seconds),
        )
        if answer is None:
            return taken
        if answer.body is None:
            raise AnswerNotKept(_where(answer))
        return answer

    @asynccontextmanager
    async def held(self, taken: TakenUp) -> AsyncIterator[None]:
        """Keep others from doing the request beside this process, however long it takes."""
        prolonging = asyncio.create_task(self._prolong(taken))
        try:
            yield
        finally:
            prolonging.cancel()
            await asyncio.gather(prolonging, return_exceptions=True)

    async def _prolong(self, taken: TakenUp) -> None:
        while True:
            await self.clock.sleep(self.taken_up_seconds / 3)
            until = self.clock.now() + timedelta(seconds=self.taken_up_seconds)
            try:
                await self.records.prolong(taken.owner, taken.key, token=taken.token, until=until)
            except FactflowError as error:
                log.warning("a request with an idempotency key could not be prolonged: %s", error.message)
            except Exception:
                log.exception("a request with an idempotency key could not be prolonged")

    async def end(self, taken: TakenUp, answer: KeptAnswer) -> None:
        """Keep an answer that would always be the same; otherwise let the request be repeated.

        What cannot be written is logged: then a repeat is in flight until its time is over.
        """
        if answer.body is not None and len(answer.body) > MOST_BODY_BYTES:
            answer = KeptAnswer(status=answer.status, headers=answer.headers, body=None)
        try:
            if is_final(answer.status):
                await self.records.finish(taken.owner, taken.key, token=taken.token, answer=answer)
            else:
                await self.records.abandon(taken.owner, taken.key, token=taken.token)
        except FactflowError as error:
            log.warning(
                "the answer to a request with an idempotency key could not be kept: %s", error.message
            )


def _where(answer: KeptAnswer) -> str:
    place = dict(answer.headers).get("location")
    told = (AnswerNotKept.__doc__ or "").rstrip(".")
    return f"{told}; what was made is at {place}" if place else f"{told}"
