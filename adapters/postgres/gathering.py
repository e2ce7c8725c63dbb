"""Answers calls that come at the same time with one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from domain.errors import Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Waiting(NamedTuple, Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]


class Gathering(Generic[Item, Answer]):
    """What is asked while one group is being answered forms the next; a lone call is answered at once.

    ``answer`` takes up to ``largest`` items and answers in their order. When a group fails each of its items is tried
    alone, so that a bad one spoils no other, unless the failure is Unavailable, which is everyone's.
    """

    def __init__(
        self, answer: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], *, largest: int
    ) -> None:
        self._answer = answer
        self._largest = largest
        self._waiting: list[_Waiting[Item, Answer]] = []
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Answer:
        """The answer for this item; raises what ``answer`` raised for it."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, answer))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="gathering")
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
                await self._settle([one for one in group if not one.answer.done()])
        finally:
            self._worker = None

    async def _settle(self, group: Sequence[_Waiting[Item, Answer]]) -> None:
        if not group:
            return
        try:
            answers = await self._answer([one.item for one in group])
        except asyncio.CancelledError:
            for one in group:
                one.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            await self._fail(group, error)
            return
        for one, answer in zip(group, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)

    async def _fail(self, group: Sequence[_Waiting[Item, Answer]], error: Exception) -> None:
        if len(group) > 1 and not isinstance(error, Unavailable):
            for one in group:
                await self._settle([one])
            return
        for one in group:
            if not one.answer.done():
                one.answer.set_exception(error)
