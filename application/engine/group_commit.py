"""Gathers the claims and settlements of all messages in flight into few transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeAlias, TypeVar

from application.engine.availability import until_available
from application.engine.stopping import stopped

log = logging.getLogger(__name__)

LINGER_PER_COMMIT = 4.0
LONGEST_LINGER_SECONDS = 0.025

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Done: TypeAlias = "Callable[[Answer | Exception], None]"


@dataclass(slots=True, kw_only=True)
class GroupCommit(Generic[Item, Answer]):
    """Answers single requests by committing them in groups: what came during one commit forms the next.

    ``commit`` takes up to ``largest`` items and answers in their order. After the first item of a group comes it
    waits ``linger_seconds`` for more, and longer when commits are slow: a commit costs the same for few as for many,
    so a fifth of the time at most goes into committing while messages come one by one. Unavailable is tried again
    until it passes, with growing pauses, because the outcome of a commit may be unknown and the commit may be
    repeated; any other error spoils only the item to which it belongs: the group is halved until the culprit stands
    alone. Groups are committed one after the other, so an item is committed after all that came before it.
    """

    commit: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]
    sleep: Callable[[float], Awaitable[None]]
    linger_seconds: float = 0.005
    largest: int = 500
    _waiting: list[tuple[Item, Done[Answer]]] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: int = 0
    _under_way: int = 0
    _progress: asyncio.Event = field(default_factory=asyncio.Event)
    _is_closed: bool = False
    _worker: asyncio.Task[None] | None = None
    _last_commit: float = 0.0

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="group commit")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._worker is not None:
            await stopped([self._worker], "the group commit")
        self._is_closed = True
        waiting, self._waiting = self._waiting, []
        self._progress.set()
        _tell_all(waiting, GroupClosed())

    def hand_in(self, item: Item, done: Done[Answer]) -> None:
        """Have an item committed; ``done`` is told the answer or the error, and must not raise.

        After the end it is told GroupClosed at once.
        """
        if self._is_closed:
            done(GroupClosed())
            return
        if not self._waiting:
            self._arrived.set()
        self._waiting.append((item, done))

    async def ask(self, item: Item) -> Answer:
        """The answer for one item. Cancelling the caller does not withdraw the item from its group."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(told: Answer | Exception) -> None:
            if answer.done():
                return
            if isinstance(told, GroupClosed):
                answer.cancel()
            elif isinstance(told, Exception):
                answer.set_exception(told)
            else:
                answer.set_result(told)

        self.hand_in(item, done)
        return await answer

    async def drained(self) -> None:
        """Return when all that has been handed in is answered, and so is what was handed in meanwhile.

        What comes after that is not waited for: somebody else may hand in without end.
        """
        for _ in range(2):
            until = self._answered + self._under_way + len(self._waiting)
            while self._answered < until and not self._is_closed:
                await self._progress.wait()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            if self.linger_seconds and len(self._waiting) < self.largest:
                await asyncio.sleep(self._linger())
            group, self._waiting = self._waiting[: self.largest], self._waiting[self.largest :]
            if not self._waiting:
                self._arrived.clear()
            self._under_way = len(group)
            began = time.perf_counter()
            try:
                await self._answer(group)
            except asyncio.CancelledError:
                self._waiting = group + self._waiting
                raise
            self._last_commit = time.perf_counter() - began
            self._answered, self._under_way = self._answered + len(group), 0
            self._progress.set()
            self._progress = asyncio.Event()

    def _linger(self) -> float:
        return max(self.linger_seconds, min(LINGER_PER_COMMIT * self._last_commit, LONGEST_LINGER_SECONDS))

    async def _answer(self, group: Sequence[tuple[Item, Done[Answer]]]) -> None:
        try:
            items = [item for item, _ in group]
            answers = await until_available(lambda: self.commit(items), self.sleep)
            if len(answers) != len(group):
                raise ValueError(f"{len(answers)} answers to {len(group)} requests")
        except Exception as error:  # noqa: BLE001 (a defect in the store must reach who waits, and nobody else)
            if len(group) > 1:
                middle = len(group) // 2
                await self._answer(group[:middle])
                await self._answer(group[middle:])
            else:
                _tell_all(group, error)
        else:
            for (_, done), answer in zip(group, answers, strict=True):
                _tell(done, answer)


class GroupClosed(Exception):
    """The group was closed before the item was committed, or before its outcome was known."""


def _tell_all(group: Sequence[tuple[Item, Done[Answer]]], error: Exception) -> None:
    for _, done in group:
        _tell(done, error)


def _tell(done: Done[Answer], answer: Answer | Exception) -> None:
    try:
        done(answer)
    except Exception:
        # A defect: but all others of this process wait for their answers too.
        log.exception("what follows a commit has failed")
