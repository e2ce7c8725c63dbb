"""Writes answers in the background, so that one whose reader goes away is finished all the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias
from uuid import UUID

from application.chat import Chat
from application.chat_run import AnswerRun
from application.ports.clock import Clock
from application.ports.id_source import IdSource
from domain.chat.answer import AnswerDone, ChatAnswer
from domain.chat.errors import AnswerInterrupted, AnswerStreamNotFound
from domain.chat.request import ChatRequest
from domain.chat.thread import MessageStatus
from domain.errors import FactflowError, Unavailable

log = logging.getLogger(__name__)

SAVED_EVERY_SECONDS = 2.0
PATIENCE_SECONDS = (0.2, 1.0, 3.0, 10.0, 30.0)
"""How long to wait between attempts to keep an answer that is there, while the store is away."""

LAST_SAVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An answer as far as it has come, to be kept."""

    answer: ChatAnswer | None
    status: MessageStatus = MessageStatus.WRITING
    error: FactflowError | None = None


Keep: TypeAlias = Callable[[Written], Awaitable[bool]]
"""Keeps what was written; tells False when it is wanted no more."""


class AnswerRuns:
    """The answers that this process writes. Open it with ``async with``; leaving it interrupts and keeps them.

    One that is kept is written to its end whoever reads it. One that nobody keeps is given up when it has had no reader
    for ``resume_seconds``. Both can be read again for ``kept_seconds`` after their end.
    """

    def __init__(
        self,
        *,
        chat: Chat,
        clock: Clock,
        ids: IdSource,
        resume_seconds: float = 15.0,
        kept_seconds: float = 60.0,
    ) -> None:
        self.chat = chat
        self._clock, self._ids = clock, ids
        self._resume_seconds, self._kept_seconds = resume_seconds, kept_seconds
        self._runs: dict[UUID, AnswerRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        while self._tasks:
            tasks = set(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def start(
        self, request: ChatRequest, *, owner: str, run_id: UUID | None = None, keep: Keep | None = None
    ) -> AnswerRun:
        """Begin to write an answer; its id is a new one unless given."""
        run = AnswerRun(id=run_id or self._ids.new_id(), owner=owner)
        self._runs[run.id] = run
        writing = self._task(self._run(run, request, keep))
        self.spawn(self._watch(run, writing, keep))
        return run

    def get(self, run_id: UUID, *, owner: str) -> AnswerRun:
        """One that is being written or was until lately; raises AnswerStreamNotFound, also for somebody else's."""
        run = self._runs.get(run_id)
        if run is None or run.owner != owner:
            raise AnswerStreamNotFound
        return run

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background, until it is done or this is left."""
        self._task(work).add_done_callback(_tell_of_defect)

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, run: AnswerRun, request: ChatRequest, keep: Keep | None) -> None:
        try:
            await self._write(run, request, keep)
            run.end()
        except asyncio.CancelledError:
            with suppress(Exception):
                written = Written(answer=run.answer, status=MessageStatus.INTERRUPTED)
                await asyncio.wait_for(_keep_once(keep, written), LAST_SAVE_SECONDS)
            run.end(AnswerInterrupted())
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, readers are told of it
            run.end(await self._failed(run, error, keep))

    async def _write(self, run: AnswerRun, request: ChatRequest, keep: Keep | None) -> None:
        async with aclosing(self.chat.stream(request)) as events:
            async for event in events:
                if isinstance(event, AnswerDone):
                    # Whoever is told that it is complete may count on its being kept.
                    await self._keep(keep, Written(answer=event.answer, status=MessageStatus.COMPLETE))
                run.add(event)

    async def _failed(self, run: AnswerRun, error: Exception, keep: Keep | None) -> Exception:
        told = error if isinstance(error, FactflowError) else FactflowError("an answer could not be written")
        if told is not error:
            log.error("an answer could not be written", exc_info=error)
        try:
            written = Written(answer=run.answer, status=MessageStatus.FAILED, error=told)
            await self._keep(keep, written)
        except FactflowError as lost:
            log.warning("an answer that failed could not be kept: %s", lost)
        return error

    async def _keep(self, keep: Keep | None, written: Written) -> None:
        for seconds in PATIENCE_SECONDS:
            try:
                await _keep_once(keep, written)
            except Unavailable as error:
                log.warning("an answer cannot be kept yet: %s", error)
                await self._clock.sleep(seconds)
            else:
                return
        await _keep_once(keep, written)

    async def _watch(self, run: AnswerRun, writing: asyncio.Task[None], keep: Keep | None) -> None:
        """Keep what has come so far, or see whether anybody reads it; forget it a while after its end."""
        while not writing.done():
            seconds = self._resume_seconds if keep is None else SAVED_EVERY_SECONDS
            had_readers = run.readers > 0
            await asyncio.wait({writing}, timeout=seconds)
            if not writing.done() and not await self._is_wanted(run, keep, had_readers=had_readers):
                writing.cancel()
        await self._clock.sleep(self._kept_seconds)
        self._runs.pop(run.id, None)

    async def _is_wanted(self, run: AnswerRun, keep: Keep | None, *, had_readers: bool) -> bool:
        if keep is None:
            return had_readers or run.readers > 0
        try:
            return await keep(Written(answer=run.answer))
        except Unavailable as error:
            log.warning("an answer cannot be kept yet: %s", error)
            return True


async def _keep_once(keep: Keep | None, written: Written) -> None:
    if keep is not None:
        await keep(written)


def _tell_of_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("something about an answer failed", exc_info=error)
