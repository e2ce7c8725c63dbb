"""Opens and closes the pipeline adapters that keep something from message to message."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from application.engine.panics import failure_by, text_of
from application.ports.pipeline_adapter import BuiltAdapter, RouteContext, StatefulAdapter
from domain.errors import Conflict, Unavailable
from domain.pipeline import AdapterStep

log = logging.getLogger(__name__)

OPENING_SECONDS = 30.0
CLOSING_SECONDS = 5.0


class AdapterNotOpened(Conflict):
    """A stateful pipeline adapter could not be opened."""

    code = "pipeline_adapter_not_opened"


@dataclass(slots=True, kw_only=True)
class StatefulAdapters:
    """Those of one execution's run in this process, by the routes that they work in; each is opened and closed once."""

    execution_id: UUID
    steps: Mapping[str, Sequence[tuple[AdapterStep, BuiltAdapter]]]
    opening_seconds: float = OPENING_SECONDS
    closing_seconds: float = CLOSING_SECONDS
    _opened: list[tuple[str, StatefulAdapter]] = field(default_factory=list)
    _is_closed: bool = False

    async def open_all(self) -> None:
        """Open them in the order of the config; raises AdapterNotOpened with the reason, and none is then open.

        When ``close_all`` is called meanwhile, the rest is not opened and what has been is closed.
        """
        for route_id, step, adapter in self._all():
            try:
                await self._open(adapter, route_id)
            except BaseException as error:
                await self.close_all()
                failure_by(error)  # raises what is not the adapter's, as our own cancellation
                raise AdapterNotOpened(
                    f"the pipeline adapter {step.type} of the route {route_id} could not be opened: {_told(error)}"
                ) from error
            self._opened.append((step.type, adapter))
            if self._is_closed:
                await self.close_all()
                return

    async def close_all(self) -> None:
        """Close those that are open, the last one first; what goes wrong is logged. Doing it twice changes nothing."""
        self._is_closed = True
        while self._opened:
            name, adapter = self._opened.pop()
            try:
                async with asyncio.timeout(self.closing_seconds):
                    await adapter.close()
            except BaseException as error:
                log.warning(
                    "the pipeline adapter %s of execution %s could not be closed: %s",
                    name,
                    self.execution_id,
                    _told(error),
                    exc_info=error,
                )
                failure_by(error)  # raises what is not the adapter's, as our own cancellation

    def _all(self) -> Sequence[tuple[str, AdapterStep, StatefulAdapter]]:
        return [
            (route_id, step, adapter)
            for route_id, steps in self.steps.items()
            for step, adapter in steps
            if isinstance(adapter, StatefulAdapter)
        ]

    async def _open(self, adapter: StatefulAdapter, route_id: str) -> None:
        async with asyncio.timeout(self.opening_seconds):
            opening: Awaitable[None] | object = adapter.open(
                RouteContext(execution_id=self.execution_id, route_id=route_id)
            )
            if not inspect.isawaitable(opening):
                raise TypeError("its `open` is not an `async def`")
            await opening


def _told(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, Unavailable):
        return error.message
    kind, text = type(error).__name__, text_of(error)
    return kind if text == kind else f"{kind}: {text}"
