"""How many calls a provider gets at once, and when one is tried again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.clock import ManualClock
from application.call_limiter import CallLimiter, call_limiter, call_statuses
from application.calls import Calls
from domain.call_failure import CallFailureKind, RateLimited, classify_call_error
from domain.errors import Refused, Unavailable


def limiter_of(clock: ManualClock, *, floor: int = 5, most: int = 50) -> CallLimiter:
    return CallLimiter("test", floor=floor, most=most, sleep=clock.sleep, monotonic=clock.monotonic)


async def answer(limiter: CallLimiter, error: Exception | None = None) -> None:
    """One call that goes well or fails by the error."""
    with suppress(Exception):
        async with limiter.slot():
            if error is not None:
                raise error


async def hold(limiter: CallLimiter, until: asyncio.Event, error: Exception | None = None) -> None:
    async with limiter.slot():
        await until.wait()
        if error is not None:
            raise error


async def test_it_begins_at_the_most_and_no_more_are_under_way() -> None:
    limiter, until = limiter_of(ManualClock(), most=3), asyncio.Event()
    calls = [asyncio.create_task(hold(limiter, until)) for _ in range(5)]
    await asyncio.sleep(0.001)
    status = limiter.status()
    assert (status.limit, status.in_flight, status.waiting) == (3, 3, 2)
    until.set()
    await asyncio.gather(*calls)
    assert limiter.status().in_flight == 0


async def test_each_refusal_for_the_rate_halves_it_down_to_the_floor() -> None:
    limiter, seen = limiter_of(ManualClock()), []
    for _ in range(5):
        await answer(limiter, RateLimited())
        seen.append(limiter.status().limit)
    assert seen == [25, 12, 6, 5, 5]


async def test_as_many_calls_in_a_row_as_the_limit_is_high_raise_it_by_one() -> None:
    """Any failure begins the row anew."""
    limiter = limiter_of(ManualClock(), floor=2, most=6)
    await answer(limiter, RateLimited())
    assert limiter.status().limit == 3
    for _ in range(2):
        await answer(limiter)
    await answer(limiter, Unavailable())
    for _ in range(2):
        await answer(limiter)
    assert limiter.status().limit == 3
    for _ in range(1 + 4 + 5 + 100):
        await answer(limiter)
    assert limiter.status().limit == 6


async def test_a_burst_of_refusals_halves_it_once() -> None:
    """All of the calls were made under the limit that turned out to be too high; those that go well raise nothing."""
    limiter, until = limiter_of(ManualClock(), most=20), asyncio.Event()
    errors = [RateLimited() if number % 2 else None for number in range(20)]
    calls = [asyncio.create_task(hold(limiter, until, error)) for error in errors]
    await asyncio.sleep(0.001)
    until.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (limiter.status().limit, limiter.status().lowered) == (10, 1)


async def test_other_failures_leave_the_limit_alone() -> None:
    limiter = limiter_of(ManualClock())
    for error in (Unavailable(), TimeoutError(), Refused(), RuntimeError()):
        await answer(limiter, error)
    assert limiter.status().limit == 50


async def test_nobody_calls_while_the_provider_has_asked_to_wait() -> None:
    """Neither the one who was told nor anybody else."""
    clock = ManualClock()
    limiter = limiter_of(clock)
    await answer(limiter, RateLimited(retry_after=10))
    other = asyncio.create_task(answer(limiter))
    await clock.advance(9.9)
    assert not other.done()
    await clock.advance(0.2)
    assert other.done()


async def test_a_wait_of_an_hour_holds_nobody_back() -> None:
    """Whoever calls is told so again, at once."""
    limiter = limiter_of(ManualClock())
    await answer(limiter, RateLimited(retry_after=3600))
    await asyncio.wait_for(answer(limiter), 1)


async def test_a_cancelled_call_gives_its_slot_back_and_counts_neither_way() -> None:
    limiter = limiter_of(ManualClock(), floor=1, most=2)
    await answer(limiter, RateLimited())
    for _ in range(10):
        call = asyncio.create_task(hold(limiter, asyncio.Event()))
        waiting = asyncio.create_task(hold(limiter, asyncio.Event()))
        await asyncio.sleep(0)
        waiting.cancel()
        call.cancel()
        await asyncio.gather(call, waiting, return_exceptions=True)
    status = limiter.status()
    assert (status.limit, status.in_flight, status.waiting) == (1, 0, 0)


@given(
    st.lists(st.sampled_from(["well", "limited", "failed"]), max_size=150),
    st.integers(1, 9),
    st.integers(0, 9),
)
def test_the_limit_stays_between_floor_and_most(results: list[str], floor: int, more: int) -> None:
    errors = {"well": None, "limited": RateLimited(), "failed": Unavailable()}

    async def run() -> None:
        limiter = limiter_of(ManualClock(), floor=floor, most=floor + more)
        for result in results:
            await answer(limiter, errors[result])
            assert floor <= limiter.status().limit <= floor + more

    asyncio.run(run())


def failing(*errors: Exception) -> tuple[Callable[[], Awaitable[str]], list[Exception]]:
    """An operation that raises each error once and then answers; and those that are left."""
    left = list(errors)

    async def operation() -> str:
        if left:
            raise left.pop(0)
        return "at last"

    return operation, left


async def test_a_failure_that_may_pass_is_tried_again_after_a_random_share_of_a_growing_pause() -> None:
    """No slot is held meanwhile."""
    clock = ManualClock()
    limiter = limiter_of(clock)
    operation, left = failing(Unavailable(), TimeoutError(), ConnectionError())
    calls = Calls(limiter=limiter, retry_delay_seconds=4, randomness=lambda: 0.5)
    call = asyncio.create_task(calls.call(operation))
    for seconds, remaining in ((2, 2), (4, 1), (8, 0)):
        await clock.advance(0)
        assert (len(left), limiter.status().in_flight) == (remaining, 0)
        await clock.advance(seconds)
    assert await call == "at last"


async def test_a_pause_has_an_end() -> None:
    clock = ManualClock()
    operation, left = failing(*[Unavailable() for _ in range(6)])
    calls = Calls(limiter=limiter_of(clock), retry_delay_seconds=20, randomness=lambda: 0.999)
    call = asyncio.create_task(calls.call(operation))
    await clock.advance(20 + 5 * 30)
    assert await call == "at last"
    assert left == []


async def test_after_so_many_attempts_the_last_error_is_raised() -> None:
    last = Unavailable("the seventh")
    operation, left = failing(*[Unavailable() for _ in range(6)], last)
    calls = Calls(limiter=limiter_of(ManualClock()), retry_delay_seconds=0)
    with pytest.raises(Unavailable, match="the seventh"):
        await calls.call(operation)
    assert left == []


async def test_a_terminal_failure_is_raised_at_once() -> None:
    operation, left = failing(Refused("not you"), Unavailable())
    with pytest.raises(Refused, match="not you"):
        await Calls(limiter=limiter_of(ManualClock())).call(operation)
    assert len(left) == 1


async def test_what_the_provider_asks_for_is_waited_for_and_more_is_not() -> None:
    clock = ManualClock()
    calls = Calls(limiter=limiter_of(clock), randomness=lambda: 0.5)
    operation, _ = failing(RateLimited(retry_after=20))
    call = asyncio.create_task(calls.call(operation))
    await clock.advance(20.4)
    assert not call.done()
    await clock.advance(0.2)
    assert await call == "at last"
    operation, _ = failing(RateLimited(retry_after=31))
    with pytest.raises(RateLimited):
        await calls.call(operation)


class HttpError(Exception):
    """As HTTP clients raise them."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"status {status}")
        self.response = type("Response", (), {"status_code": status, "headers": headers or {}})()


@pytest.mark.parametrize(
    ("error", "kind", "retry_after"),
    [
        (HttpError(429, {"Retry-After": "7"}), CallFailureKind.RATE_LIMITED, 7.0),
        (
            HttpError(429, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}),
            CallFailureKind.RATE_LIMITED,
            None,
        ),
        (HttpError(529), CallFailureKind.RATE_LIMITED, None),
        (HttpError(503, {"Retry-After": "1.5"}), CallFailureKind.RETRYABLE, 1.5),
        (HttpError(408), CallFailureKind.RETRYABLE, None),
        (HttpError(401), CallFailureKind.TERMINAL, None),
        (HttpError(400, {"Retry-After": "nan"}), CallFailureKind.TERMINAL, None),
        (RateLimited(retry_after=3), CallFailureKind.RATE_LIMITED, 3.0),
        (RateLimited(retry_after=-3), CallFailureKind.RATE_LIMITED, 0.0),
        (TimeoutError(), CallFailureKind.RETRYABLE, None),
        (ConnectionResetError(), CallFailureKind.RETRYABLE, None),
        (Unavailable(), CallFailureKind.RETRYABLE, None),
        (Refused(), CallFailureKind.TERMINAL, None),
        (ValueError(), CallFailureKind.TERMINAL, None),
    ],
)
def test_failures_are_classified(error: Exception, kind: CallFailureKind, retry_after: float | None) -> None:
    failure = classify_call_error(error)
    assert (failure.kind, failure.retry_after) == (kind, retry_after)


def test_everyone_who_names_a_server_shares_its_limiter() -> None:
    """By whatever path and under whatever user; another port is another server."""
    one = call_limiter("https://user:secret@api.example.com/v1", most=7)
    assert call_limiter("https://API.example.com/v1/embeddings") is one
    assert call_limiter("https://api.example.com:8443/v1") is not one
    assert one.provider == "https://api.example.com"
    assert call_limiter("some provider") is not one
    assert ("https://api.example.com", 7) in [(status.provider, status.limit) for status in call_statuses()]


def test_a_limiter_that_nobody_holds_is_gone() -> None:
    call_limiter("https://nobody.example.com")
    gc.collect()
    assert "https://nobody.example.com" not in [status.provider for status in call_statuses()]
