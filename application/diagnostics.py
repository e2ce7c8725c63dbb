"""Tries what the service depends on, step by step, and tells how long each step took."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar
from uuid import UUID

from application.engine.route_gates import RouteGates
from application.engine.route_status import RouteStatus
from application.ports.broker_probe import BrokerProbe, BrokerTarget
from application.ports.id_source import IdSource
from application.ports.inspection import DatabaseFacts, Inspection, Totals
from application.ports.message_queue import Envelope, MessageQueue
from application.ports.object_storage import ObjectStorage
from domain.errors import FactflowError, Unavailable

log = logging.getLogger(__name__)

STEP_SECONDS = 10.0
CONTENT = b"a diagnostic object; it may be deleted"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was tried: how long it took, and what went wrong, None when nothing did."""

    name: str
    duration_ms: float
    error: str | None = None


@dataclass(slots=True)
class Trial:
    """The steps so far, each within ``seconds``; after one that failed nothing more is tried."""

    seconds: float = STEP_SECONDS
    steps: list[Step] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether no step has failed."""
        return all(step.error is None for step in self.steps)

    async def attempt(self, name: str, act: Callable[[], Awaitable[T]]) -> T | None:
        """Do one thing, unless something failed before it."""
        if not self.is_well:
            return None
        began, error, result = perf_counter(), None, None
        try:
            async with asyncio.timeout(self.seconds):
                result = await act()
        except TimeoutError:
            error = f"no answer within {self.seconds:g} seconds"
        except FactflowError as refused:
            error = refused.message
        except Exception:
            # What a defect says may be a secret, so the log alone has it.
            log.exception("the diagnostic step %s failed", name)
            error = "it could not be tried; the log tells why"
        self.steps.append(Step(name=name, duration_ms=(perf_counter() - began) * 1000, error=error))
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What became of a trial; ``database`` is there when that was tried and answered."""

    component: str
    steps: Sequence[Step]
    database: DatabaseFacts | None = None

    @property
    def is_well(self) -> bool:
        """Whether every step succeeded."""
        return all(step.error is None for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """Real round trips through the queue, the storage and the database; each cleans up behind itself.

    ``gates`` are those of the routes that this process runs.
    """

    queue: MessageQueue
    storage: ObjectStorage
    inspection: Inspection
    ids: IdSource
    gates: RouteGates
    brokers: BrokerProbe

    async def totals(self) -> Totals:
        """How much there is of everything. Raises Unavailable."""
        return await self.inspection.totals()

    def routes(self) -> Sequence[RouteStatus]:
        """How the routes stand that this process runs."""
        return [gate.status() for gate in self.gates]

    async def of_queue(self) -> Diagnosis:
        """Publish an envelope to a queue of its own, receive it, acknowledge it, delete the queue; then a broadcast."""
        trial, key = Trial(), self.ids.new_id()
        name = f"diagnostic:{key}"
        await trial.attempt("publish", lambda: self._publish(name, key))
        await trial.attempt("receive and acknowledge", lambda: self._receive(name, key))
        await trial.attempt("delete the queue", lambda: self.queue.delete(name))
        await trial.attempt("broadcast", lambda: self._hear(f"/topic/diagnostic.{key}"))
        return Diagnosis(component="queue", steps=trial.steps)

    async def of_broker(self, target: BrokerTarget, *, step_seconds: float = STEP_SECONDS) -> Diagnosis:
        """Try another broker than our own: its name, its connection, signing in, and messages if there are to be any.

        Raises DestinationRefused.
        """
        self.brokers.examine(target)
        trial = Trial(seconds=step_seconds)
        await self.brokers.probe(target, trial)
        return Diagnosis(component="broker", steps=trial.steps)

    async def of_storage(self) -> Diagnosis:
        """Write an object, read it, find it in a list, and delete it."""
        trial, prefix = Trial(), f"diagnostics/{self.ids.new_id()}/"
        key = prefix + "object.txt"
        await trial.attempt("write", lambda: self.storage.write(key, CONTENT, content_type="text/plain"))
        await trial.attempt("read", lambda: self._read(key))
        await trial.attempt("list", lambda: self._listed(prefix, key))
        await trial.attempt("delete", lambda: self.storage.delete(key))
        return Diagnosis(component="storage", steps=trial.steps)

    async def of_database(self) -> Diagnosis:
        """Ask the database for its facts, and count."""
        trial = Trial()
        facts = await trial.attempt("facts", self.inspection.facts)
        await trial.attempt("totals", self.inspection.totals)
        return Diagnosis(component="database", steps=trial.steps, database=facts)

    async def _publish(self, name: str, key: UUID) -> None:
        if (
            await self.queue.publish(
                name, [Envelope(message_id=key, execution_id=key, route_id="diagnostic")]
            )
            != 1
        ):
            raise Unavailable("the queue did not take the envelope")

    async def _receive(self, name: str, key: UUID) -> None:
        async with self.queue.subscribe(name, prefetch=1) as subscription:
            delivery = await subscription.receive()
            await delivery.acknowledge()
        if delivery.envelope.message_id != key:
            raise Unavailable("another envelope came than was sent")

    async def _hear(self, topic: str) -> None:
        async with self.queue.listen(topic) as heard:
            await self.queue.broadcast(topic, {"diagnostic": True})
            await anext(heard)

    async def _read(self, key: str) -> None:
        if await self.storage.read(key) != CONTENT:
            raise Unavailable("the object reads otherwise than it was written")

    async def _listed(self, prefix: str, key: str) -> None:
        if [found.key async for found in self.storage.list(prefix)] != [key]:
            raise Unavailable("the list does not show what was written")
