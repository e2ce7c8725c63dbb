"""One execution at work in this process: a processor and a feed for each route."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from application.engine.flushing import Flushing
from application.engine.long_work import LongWork
from application.engine.route_feed import RouteFeed
from application.engine.route_processor import RouteProcessor
from application.engine.shared_feed import SharedFeed
from application.engine.stateful import StatefulAdapters
from application.engine.stopping import stopped
from application.engine.topics import TopicListener
from domain.message import Settlement
from domain.pipeline import Route, is_topic


@dataclass(slots=True, kw_only=True)
class ExecutionRun:
    """The processors of one execution. They all subscribe before anything is published.

    ``crashed`` is told when a processor or a feed ends by an error, which only a defect can bring about.
    """

    execution_id: UUID
    adapters: StatefulAdapters
    processors: Mapping[str, RouteProcessor]
    feeds: Mapping[str, RouteFeed]
    crashed: Callable[[UUID, BaseException], None]
    listeners: Sequence[TopicListener] = ()
    flushing: Sequence[Flushing] = ()
    _is_closed: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def routes(self) -> Sequence[Route]:
        """The routes that run."""
        return [processor.route for processor in self.processors.values()]

    async def open(self, *, is_new: bool = False) -> None:
        """Start every processor, return when all of them are subscribed, then look in the ledger for work.

        Before that the stateful pipeline adapters are opened; raises AdapterNotOpened, and nothing has begun.
        ``is_new``: nobody has put anything of it into a queue yet.
        """
        await self.adapters.open_all()
        if self._is_closed:
            return
        for route_id, processor in self.processors.items():
            name = f"{self.execution_id} {route_id}"
            self._begin(processor.run(), f"route {name}")
            self._begin(processor.follow_up.run(), f"follow-up {name}")
            self._begin(self.feeds[route_id].run(), f"feed {name}")
            if isinstance(self.feeds[route_id], SharedFeed):
                self._begin(self._long_work(processor).run(), f"long work {name}")
        for listener in self.listeners:
            self._begin(listener.run(), f"listener {self.execution_id} {listener.route_id}")
        for flushing in self.flushing:
            self._begin(flushing.run(), f"flushing {self.execution_id} {flushing.processor.route.id}")
        for processor in self.processors.values():
            await processor.is_ready.wait()
        for listener in self.listeners:
            await listener.is_listening.wait()
        for feed in self.feeds.values():
            if is_new and isinstance(feed, SharedFeed):
                feed.fill()
            else:
                feed.look_in_ledger()

    async def close(self) -> Sequence[Settlement]:
        """Stop every processor at its next await; returns the settlements that hand back what they had claimed."""
        self._is_closed = True
        held = [settlement for one in self.processors.values() for settlement in await one.close()]
        await stopped(self._tasks, f"the execution {self.execution_id}")
        self._tasks.clear()
        self._let_go()
        await self.adapters.close_all()
        return held

    def _let_go(self) -> None:
        """Whoever still waits for it to be open need not wait any longer."""
        for processor in self.processors.values():
            processor.is_ready.set()
        for listener in self.listeners:
            listener.is_listening.set()

    def _long_work(self, processor: RouteProcessor) -> LongWork:
        return LongWork(inbox=processor.inbox, follow_up=processor.follow_up, clock=processor.ports.clock)

    def _begin(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._watch)
        self._tasks.append(task)

    def _watch(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.crashed(self.execution_id, error)


def scoped_queue(execution_id: UUID, route: Route) -> str:
    """The name of the queue from which an execution's route takes its messages.

    Several routes may listen to one topic, so what one of them has heard waits in a queue of its own, whose name no
    queue of a config can have.
    """
    queue = f"/route/{route.id}" if is_topic(route.inbound.queue) else route.inbound.queue
    return f"exec:{execution_id}:{queue}"
