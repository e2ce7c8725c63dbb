"""The pipeline adapter ``collector``: gathers many messages into one, by count or by time.

It holds ``process`` open, so that what it gathers stays unsettled, and settles it only once the batch is kept:

* The first message of a batch carries it on. It keeps the batch as a stage before any other message is let go, and
  when it comes again after a crash it finds the batch there and sends the same one.
* The others end here, as skipped. One that comes again after a crash, because its own settlement was lost, goes into
  another batch. So nothing is lost, and an item may come twice: whoever reads the batches looks at the items' ids.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from factflow_server.plugin import (
    AdapterResult,
    Emission,
    JsonObject,
    PipelineContext,
    Registration,
    RouteContext,
)

STAGE = "batch"


@dataclass(frozen=True, kw_only=True)
class CollectorConfig:
    """``count`` messages make a batch, or those that came within ``seconds`` of its first one.

    The route's ``concurrency`` must be at least ``count``, else the time decides alone; ``seconds`` must stay well
    below the time limit of a pipeline adapter.
    """

    count: int = 10
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("count is below 1")
        if not 0 < self.seconds <= 60:
            raise ValueError("seconds is not between 0 and 60")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A message whose ``process`` is held open. ``ready`` is told the batch if it is to carry it, else None."""

    item: JsonObject
    ready: asyncio.Future[list[_Waiting] | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Collector:
    """One instance gathers the messages of one route of one execution."""

    def __init__(self, config: CollectorConfig) -> None:
        self._config = config
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._route_id = ""

    async def open(self, context: RouteContext) -> None:
        self._route_id = context.route_id

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        kept = await context.stage.kept(STAGE, extension=".json")
        if kept is not None:
            return self._sent(json.loads(kept))
        mine = _Waiting({"message_id": str(context.message_id), "payload": context.message})
        self._join(mine)
        try:
            batch = await mine.ready
        except asyncio.CancelledError:
            self._leave(mine)
            raise
        return None if batch is None else await self._carry(batch, context)

    def _join(self, mine: _Waiting) -> None:
        self._waiting.append(mine)
        if len(self._waiting) >= self._config.count:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._config.seconds, self._flush)

    def _leave(self, mine: _Waiting) -> None:
        if mine in self._waiting:
            self._waiting.remove(mine)
        elif mine.ready.done() and not mine.ready.cancelled():
            _let_go(
                (mine.ready.result() or [mine])[1:], RuntimeError("who was to carry the batch was stopped")
            )

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = [waiting for waiting in self._waiting if not waiting.ready.done()]
        self._waiting.clear()
        if batch:
            batch[0].ready.set_result(batch)

    async def _carry(self, batch: list[_Waiting], context: PipelineContext) -> AdapterResult:
        items: list[Any] = [waiting.item for waiting in batch]
        try:
            await context.stage.keep(
                STAGE, json.dumps(items).encode(), extension=".json", content_type="application/json"
            )
        except BaseException as error:
            _let_go(batch[1:], RuntimeError(f"the batch could not be kept: {error}"))
            raise
        _let_go(batch[1:], None)
        return self._sent(items)

    def _sent(self, items: list[Any]) -> AdapterResult:
        message: JsonObject = {"route": self._route_id, "items": items}
        return AdapterResult(message=message, emitted=[Emission(payload=message, key="batch")], stage=STAGE)


def _let_go(others: list[_Waiting], error: Exception | None) -> None:
    for waiting in others:
        if waiting.ready.done():
            continue
        if error is None:
            waiting.ready.set_result(None)
        else:
            waiting.ready.set_exception(error)


registration = Registration(
    type="collector",
    description="Gathers many messages into one, by count or by time.",
    config=CollectorConfig,
    build=Collector,
)
