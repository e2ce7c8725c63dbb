"""The gate of one route of one execution: how many of its messages are at work, and whether it takes any at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from uuid import UUID

from application.engine.route_breakers import RouteBreakers
from application.engine.route_status import BreakerStatus, RouteState, RouteStatus
from application.engine.steering import Steering
from application.ports.clock import Clock
from application.slots import Slots
from domain.circuit_breaker import BreakerRules, tells_of_an_outage
from domain.pipeline import Route

log = logging.getLogger(__name__)

BREAKER = "breaker"
"""The reason for which a gate is closed while one of its circuit breakers is open."""
QUARANTINE = "quarantine"
"""The reason for which every gate of a process is closed while a suspect runs alone."""
DRAINING = "draining"
"""The reason for which every gate of a process that is stopping is closed."""
REST = frozenset({QUARANTINE, DRAINING})
"""The reasons for which all routes of a process come to rest, so that none makes room for another."""
PROBES = 1


class RouteGate:
    """Open unless a reason closes it. For the tasks of one event loop; nothing of it outlives the process.

    Who takes messages waits at ``opened``, subscribes, enters before each message and leaves after it, and ends its
    subscription at ``closing``; messages that are at work go on. While a breaker is half-open one message is let in
    at a time. The time of a message is that of its pipeline adapters and of reading what they emit.
    """

    __slots__ = (
        "_breakers",
        "_change",
        "_clock",
        "_reasons",
        "_route",
        "_slots",
        "_steering",
        "execution_id",
    )

    def __init__(
        self, execution_id: UUID, route: Route, *, clock: Clock, rules: BreakerRules | None = None
    ) -> None:
        self.execution_id = execution_id
        self._route = route
        self._clock = clock
        self._steering = Steering(route, clock.monotonic())
        self._slots = Slots(self._steering.limit)
        self._breakers = RouteBreakers(len(route.adapters), rules or BreakerRules(), clock.monotonic)
        self._reasons: set[str] = set()
        self._change = asyncio.Event()

    @property
    def most(self) -> int:
        """How many messages may ever be at work at once: what to prefetch for."""
        return self._steering.most

    @property
    def is_open(self) -> bool:
        """Whether it takes messages."""
        return not self._reasons

    def enter(self) -> Awaitable[None]:
        """Wait for a slot and, while it is closed, for the gate; whoever is cancelled meanwhile has none."""
        return self._slots.take()

    def forgo(self) -> None:
        """Give back a slot that was entered for, without having had a message."""
        self._slots.give_back()

    def leave(self, began: float, ended: float) -> None:
        """Give back the slot of a message, which took from ``began`` to ``ended`` (``Clock.monotonic``)."""
        slots, steering = self._slots, self._steering
        # With fewer slots than that, what is measured says nothing about the limit.
        was_full = slots.was_full and slots.limit == steering.limit
        if steering.measured(began, ended, was_full=was_full):
            slots.was_full = False
            self._resize()
        slots.give_back()

    def observe(self, step_index: int, error: BaseException | None = None) -> None:
        """Tell the breaker of the route's n-th pipeline adapter how a message fared with it."""
        if not self._breakers.observe(step_index, error):
            return
        self._log_breaker(step_index, error)
        if self._breakers.is_open:
            self.pause(BREAKER)
        else:
            self.resume(BREAKER)

    def spared_until(self, error: BaseException) -> datetime | None:
        """Until when a message that failed by this error is to wait, without using up a retry.

        None when the usual rules hold: no breaker is open, or the error is about that message alone.
        """
        seconds = self._breakers.seconds_to_probe()
        if seconds is None or not tells_of_an_outage(error):
            return None
        return self._clock.now() + timedelta(seconds=seconds)

    def pause(self, reason: str) -> None:
        """Close the gate for a reason; for the same one again changes nothing."""
        self._reasons.add(reason)
        self._changed()

    def resume(self, reason: str) -> None:
        """Drop a reason; the gate opens with the last one. One that does not hold changes nothing."""
        self._reasons.discard(reason)
        self._changed()

    async def opened(self) -> None:
        """Return when the gate is open; whoever waits here lets breakers probe when their time has come."""
        while self._reasons:
            await self._next_change(self._breakers.seconds_to_probe())
            if self._breakers.seconds_to_probe() == 0.0:
                self._breakers.probe()
                self.resume(BREAKER)

    async def closing(self, reasons: AbstractSet[str] | None = None) -> None:
        """Return when the gate is closed, for one of the reasons if any are given."""
        while not (self._reasons if reasons is None else self._reasons & reasons):
            await self._change.wait()

    def status(self) -> RouteStatus:
        """How the route stands."""
        others = self._reasons - {BREAKER}
        state = RouteState.PAUSED if others else RouteState.BREAKER if self._reasons else RouteState.OPEN
        now, measured = self._clock.now(), self._clock.monotonic()
        return RouteStatus(
            execution_id=self.execution_id,
            route_id=self._route.id,
            state=state,
            concurrency=self._slots.limit,
            max_concurrency=self._steering.most,
            in_flight=self._slots.taken,
            latency_ms=self._steering.latency_ms,
            breakers=[
                BreakerStatus(
                    adapter=self._route.adapters[index].type,
                    index=index,
                    state=breaker.state,
                    failures=breaker.failures,
                    results=breaker.results,
                    probes_at=None
                    if breaker.probes_at is None
                    else now + timedelta(seconds=breaker.probes_at - measured),
                )
                for index, breaker in enumerate(self._breakers.all)
            ],
            paused_by=sorted(self._reasons),
        )

    def _changed(self) -> None:
        self._resize()
        self._change.set()
        self._change = asyncio.Event()

    def _resize(self) -> None:
        allowed = min(self._steering.limit, PROBES) if self._breakers.is_probing else self._steering.limit
        limit = 0 if self._reasons else allowed
        if limit != self._slots.limit:
            self._slots.was_full = False
            self._slots.resize(limit)

    async def _next_change(self, seconds: float | None) -> None:
        """Return at the next change, or when the seconds are over."""
        change = self._change.wait()
        if seconds is None:
            await change
            return
        either = [asyncio.ensure_future(change), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()
            await asyncio.gather(*either, return_exceptions=True)

    def _log_breaker(self, step_index: int, error: BaseException | None) -> None:
        name = f"{self._route.adapters[step_index].type} in route {self._route.id} of {self.execution_id}"
        if error is None:
            log.info("the circuit breaker of %s has closed", name)
        else:
            seconds = self._breakers.seconds_to_probe()
            log.warning("the circuit breaker of %s is open for %g seconds: %s", name, seconds or 0.0, error)
