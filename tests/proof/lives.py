"""Processes that die: a port as one process sees it, until it is stopped in the middle of a call."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from domain.errors import Unavailable

Port = TypeVar("Port")

QUIET_TURNS = 60
"""After so many turns of the event loop without a call nothing more comes by itself."""
MOST_CALLS = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """Just before a port's method is called, or just after it has done its work and before it answers."""

    method: str
    is_after: bool

    def __str__(self) -> str:
        return f"{'after' if self.is_after else 'before'} {self.method}"


@dataclass(slots=True, kw_only=True)
class Life:
    """The calls of one process to its ports. Once it is dead none of them does anything or comes back.

    ``completed`` counts the calls that have done their work, by method. ``dies_at`` ends it at the next such moment, or
    at the engine's fault point of that name; ``fails_at`` makes that call raise Unavailable once; ``freezes_at`` stops it
    there. A frozen life keeps its calls waiting; those of a buried one are cancelled, so that its tasks can be cleared
    away.
    """

    dies_at: Moment | str | None = None
    fails_at: Moment | None = None
    freezes_at: Moment | None = None
    is_dead: bool = False
    is_buried: bool = False
    calls: int = 0
    in_flight: int = 0
    completed: Counter[str] = field(default_factory=Counter)
    frozen: asyncio.Event = field(default_factory=asyncio.Event)
    _thawed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._thawed.set()

    def port(self, port: Port) -> Port:
        """The port as this process sees it."""
        return cast("Port", _Mortal(port, self))

    def freeze(self) -> None:
        """Keep every call waiting from now on, as a stopped process or a long pause does."""
        self._thawed.clear()
        self.frozen.set()

    def thaw(self) -> None:
        """Let the calls go on."""
        self.frozen.clear()
        self._thawed.set()

    def at(self, point: str) -> None:
        """Pass a fault point of the engine."""
        if self.dies_at == point:
            self.is_dead = True

    async def passes(self, moment: Moment) -> None:
        """Go on, fail or hang for ever at a moment of a call."""
        self.calls += 1
        if self.freezes_at == moment:
            self.freezes_at = None
            self.freeze()
        await self._thawed.wait()
        if self.dies_at == moment:
            self.is_dead = True
        if self.is_buried:
            raise asyncio.CancelledError
        if self.is_dead:
            await asyncio.get_running_loop().create_future()
        if self.fails_at == moment:
            self.fails_at = None
            raise Unavailable(f"made up, {moment}")

    async def idles(self) -> None:
        """Return when nothing more happens without something from outside."""
        quiet, calls, first = 0, self.calls, self.calls
        while quiet < QUIET_TURNS:
            assert calls < first + MOST_CALLS, "it never comes to rest"
            await asyncio.sleep(0.0005 if self.in_flight else 0)
            quiet = 0 if self.in_flight or self.calls != calls else quiet + 1
            calls = self.calls


class _Mortal:
    """A port whose coroutine methods go through a life."""

    def __init__(self, port: object, life: Life) -> None:
        self._port = port
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return self._through(name, method) if inspect.iscoroutinefunction(method) else method

    def _through(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        life = self._life

        async def call(*arguments: Any, **options: Any) -> Any:
            await life.passes(Moment(name, is_after=False))
            life.in_flight += 1
            try:
                answer = await method(*arguments, **options)
            finally:
                life.in_flight -= 1
            life.completed[name] += 1
            await life.passes(Moment(name, is_after=True))
            return answer

        return call
