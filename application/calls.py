"""Calls to another service that are tried again, with jitter in between and no more at once than its limiter lets."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

from application.call_limiter import CallLimiter
from domain.backoff import full_jitter
from domain.call_failure import CallFailure, CallFailureKind, classify_call_error

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """One caller of a provider: each call is tried up to ``attempts`` times.

    The n-th pause is a random share of ``retry_delay_seconds`` · 2^n, of at most ``longest_pause_seconds``, on top of
    what the provider asked for in ``Retry-After``. One that asks for more than ``longest_retry_after_seconds`` is not
    waited for. ``classify`` tells which failures may pass. The limiter's slot is held while a call is under way, and
    not in the pauses.
    """

    limiter: CallLimiter
    attempts: int = 7
    retry_delay_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    longest_retry_after_seconds: float = 30.0
    classify: Callable[[BaseException], CallFailure] = classify_call_error
    randomness: Callable[[], float] = random.random

    async def call(self, operation: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of an operation, asked for again while its failures may pass; raises its last error."""
        retries = 0
        while True:
            try:
                async with self.slot():
                    return await operation()
            except Exception as error:  # noqa: BLE001 (whether it may pass is for ``classify`` to say)
                await self.before_retry(error, retries)
            retries += 1

    def slot(self) -> AbstractAsyncContextManager[None]:
        """One attempt, for answers that come piece by piece; see ``CallLimiter.slot``."""
        return self.limiter.slot()

    async def before_retry(self, error: Exception, retries: int) -> None:
        """Wait until a call that failed may be tried again after so many retries; raises the error if it may not."""
        failure = self.classify(error)
        asked = failure.retry_after or 0.0
        is_over = failure.kind is CallFailureKind.TERMINAL or retries + 1 >= self.attempts
        if is_over or asked > self.longest_retry_after_seconds:
            raise error
        jitter = full_jitter(self.retry_delay_seconds, retries, self.randomness())
        await self.limiter.sleep(asked + min(jitter, self.longest_pause_seconds))
