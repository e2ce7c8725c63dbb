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
HEAVIEST_CHARACTERS = 16 << 20

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
    alone.

    A group of more than one item weighs ``heaviest`` at most.

    Groups are answered in the order in which they were formed. With more than one lane a full group does not wait for
    the one before it to be committed, so that the store has work while this process makes up its mind what to ask next.
    """

    commit: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]
    sleep: Callable[[float], Awaitable[None]]
    linger_seconds: float = 0.005
    largest: int = 500
    lanes: int = 1
    weight: Callable[[Item], int] | None = None
    heaviest: int = HEAVIEST_CHARACTERS
    _waiting: list[tuple[Item, Done[Answer]]] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _forming: asyncio.Lock = field(default_factory=asyncio.Lock)
    _formed: int = 0
    _under_way: dict[int, asyncio.Event] = field(default_factory=dict)
    _progress: asyncio.Event = field(default_factory=asyncio.Event)
    _is_closed: bool = False
    _workers: Sequence[asyncio.Task[None]] = ()
    _last_commit: float = 0.0

    async def __aenter__(self) -> Self:
        self._workers = [
            asyncio.create_task(self._work(), name=f"group commit {lane}") for lane in range(self.lanes)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await stopped(self._workers, "the group commit")
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
        if len(self._waiting) == self.largest and self._under_way:
            self._stir()

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
            until = self._formed + len(self._waiting)
            while not self._is_closed and (
                self._formed < until or min(self._under_way, default=until) < until
            ):
                await self._progress.wait()

    async def _work(self) -> None:
        while True:
            async with self._forming:
                await self._until_worthwhile()
                size = self._group_size()
                group, self._waiting = self._waiting[:size], self._waiting[size:]
                if not self._waiting:
                    self._arrived.clear()
                number, self._formed = self._formed, self._formed + len(group)
                before = next(reversed(self._under_way.values()), None)
                answered = self._under_way[number] = asyncio.Event()
            try:
                await self._see_to(group, before)
            except asyncio.CancelledError:
                self._waiting = group + self._waiting
                raise
            finally:
                del self._under_way[number]
                answered.set()
                self._stir()

    async def _until_worthwhile(self) -> None:
        """Return when the next group is to be formed."""
        await self._arrived.wait()
        if self._under_way:
            # What comes during a commit is the next group, unless that is full before.
            while self._under_way and len(self._waiting) < self.largest:
                await self._progress.wait()
        if self.linger_seconds and len(self._waiting) < self.largest:
            await asyncio.sleep(self._linger())

    def _group_size(self) -> int:
        if self.weight is None:
            return self.largest
        total = 0
        for place, (item, _) in enumerate(self._waiting[: self.largest]):
            total += self.weight(item)
            if total > self.heaviest and place:
                return place
        return self.largest

    def _linger(self) -> float:
        return max(self.linger_seconds, min(LINGER_PER_COMMIT * self._last_commit, LONGEST_LINGER_SECONDS))

    def _stir(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()

    async def _see_to(self, group: Sequence[tuple[Item, Done[Answer]]], before: asyncio.Event | None) -> None:
        began = time.perf_counter()
        answers = await self._answers([item for item, _ in group])
        self._last_commit = time.perf_counter() - began
        if before is not None:
            await before.wait()
        for (_, done), answer in zip(group, answers, strict=True):
            _tell(done, answer)

    async def _answers(self, items: Sequence[Item]) -> Sequence[Answer | Exception]:
        try:
            answers = await until_available(lambda: self.commit(items), self.sleep)
            if len(answers) != len(items):
                raise ValueError(f"{len(answers)} answers to {len(items)} requests")
        except Exception as error:  # noqa: BLE001 (a defect in the store must reach who waits, and nobody else)
            if len(items) == 1:
                return [error]
            middle = len(items) // 2
            return [*await self._answers(items[:middle]), *await self._answers(items[middle:])]
        return answers


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
