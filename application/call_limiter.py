"""How many calls to another service may be under way at once: as many as the service takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from application.slots import Slots
from domain.aimd import Aimd
from domain.call_failure import CallFailure, CallFailureKind, classify_call_error

FLOOR = 5
MOST = 50
LONGEST_QUIET_SECONDS = 30.0
"""For longer than this nobody is held back; a provider that asks for it is asked again, and says so again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus:
    """How the calls to a provider stand: the limit now, how many are under way or wait, how often it was lowered."""

    provider: str
    limit: int
    in_flight: int
    waiting: int
    lowered: int


class CallLimiter:
    """Shares one provider's capacity among all who call it, first come, first served. For tasks of one event loop.

    The limit begins at ``most``, is halved, to ``floor`` at least, when the provider says that it gets too many calls,
    and rises by one after as many calls in a row as it is high have gone well. Calls that were under way when it was
    halved say nothing about the new limit, so a burst of refusals halves it once. While a provider has asked to wait,
    nobody calls it.
    """

    def __init__(
        self,
        provider: str,
        *,
        floor: int = FLOOR,
        most: int = MOST,
        classify: Callable[[BaseException], CallFailure] = classify_call_error,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = provider
        self.sleep = sleep
        self._classify, self._monotonic = classify, monotonic
        self._limits = Aimd(floor=min(floor, most), most=most)
        self._slots = Slots(most)
        self._begun = self._lowered_at = self._lowered = self._in_a_row = 0
        self._quiet_until = float("-inf")

    def status(self) -> CallStatus:
        """How it stands."""
        return CallStatus(
            provider=self.provider,
            limit=self._slots.limit,
            in_flight=self._slots.taken,
            waiting=self._slots.waiting,
            lowered=self._lowered,
        )

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One call, from its beginning to the end of its answer; what it raises is taken into account.

        A call that is cancelled or left early counts neither way.
        """
        await self._slots.take()
        try:
            await self._quiet()
            self._begun += 1
            number = self._begun
            try:
                yield
            except Exception as error:
                self._failed(number, self._classify(error))
                raise
            self._succeeded(number)
        finally:
            self._slots.give_back()

    async def _quiet(self) -> None:
        while (seconds := self._quiet_until - self._monotonic()) > 0:
            await self.sleep(seconds)

    def _succeeded(self, number: int) -> None:
        if number <= self._lowered_at:
            return
        self._in_a_row += 1
        if self._in_a_row >= self._slots.limit:
            self._in_a_row = 0
            self._slots.resize(self._limits.raised(self._slots.limit))

    def _failed(self, number: int, failure: CallFailure) -> None:
        self._in_a_row = 0
        if failure.kind is not CallFailureKind.RATE_LIMITED:
            return
        if failure.retry_after and failure.retry_after <= LONGEST_QUIET_SECONDS:
            self._quiet_until = max(self._quiet_until, self._monotonic() + failure.retry_after)
        if number > self._lowered_at:
            self._lowered_at = self._begun
            self._lowered += 1
            self._slots.resize(self._limits.lowered(self._slots.limit))


_SHARED: WeakValueDictionary[str, CallLimiter] = WeakValueDictionary()


def call_limiter(provider: str, *, floor: int = FLOOR, most: int = MOST) -> CallLimiter:
    """The limiter of a provider, the same for everyone in this process who names it, as long as anyone holds it.

    A provider is a name, or an address, of which only the server counts. The limits of whoever comes first hold.
    """
    key = _server(provider)
    limiter = _SHARED.get(key)
    if limiter is None:
        limiter = _SHARED[key] = CallLimiter(key, floor=floor, most=most)
    return limiter


def call_statuses() -> Sequence[CallStatus]:
    """How the calls to every provider stand that somebody in this process calls, by name."""
    return sorted((limiter.status() for limiter in _SHARED.values()), key=lambda status: status.provider)


def _server(provider: str) -> str:
    parts = urlsplit(provider)
    if not parts.hostname:
        return provider
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
