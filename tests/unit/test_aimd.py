"""How a concurrency limit rises and falls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aimd import Aimd, InvalidLimits, LatencyTarget

LIMITS = st.builds(
    lambda floor, more, share: Aimd(floor=floor, most=floor + more, share=share),
    st.integers(1, 50),
    st.integers(0, 200),
    st.floats(0.01, 0.99),
)
ANY_LIMIT = st.integers(-5, 400)
ROUNDS = st.lists(st.tuples(st.floats(0, 10_000), st.booleans()), max_size=200)


@given(LIMITS, ANY_LIMIT)
def test_no_step_leaves_the_bounds(limits: Aimd, limit: int) -> None:
    for after in (limits.raised(limit), limits.lowered(limit), limits.within(limit)):
        assert limits.floor <= after <= limits.most


@given(LIMITS, st.integers(1, 250))
def test_a_step_goes_its_own_way_until_it_meets_a_bound(limits: Aimd, limit: int) -> None:
    limit = limits.within(limit)
    assert limits.raised(limit) == min(limit + 1, limits.most)
    assert limits.lowered(limit) < limit or limit == limits.floor


@given(LIMITS, ANY_LIMIT, ANY_LIMIT)
def test_steps_keep_the_order_of_limits(limits: Aimd, one: int, other: int) -> None:
    lower, higher = sorted((one, other))
    assert limits.raised(lower) <= limits.raised(higher)
    assert limits.lowered(lower) <= limits.lowered(higher)


@pytest.mark.parametrize(("floor", "most", "share"), [(0, 5, 0.5), (6, 5, 0.5), (1, 5, 0.0), (1, 5, 1.0)])
def test_limits_that_make_no_sense_are_refused(floor: int, most: int, share: float) -> None:
    with pytest.raises(InvalidLimits):
        Aimd(floor=floor, most=most, share=share)


@given(st.integers(1, 200), st.floats(1, 5_000), st.integers(1, 300), ROUNDS)
def test_a_route_stays_between_one_and_its_maximum_whatever_is_measured(
    most: int, target_ms: float, limit: int, rounds: list[tuple[float, bool]]
) -> None:
    target = LatencyTarget.of(target_ms, most=most)
    for latency_ms, was_full in rounds:
        limit = target.steered(limit, latency_ms=latency_ms, was_full=was_full)
        assert 1 <= limit <= most


@given(st.integers(1, 40), st.floats(0, 2_000), st.floats(0, 2_000), st.booleans())
def test_a_slower_round_never_leads_to_a_higher_limit(
    limit: int, one_ms: float, other_ms: float, was_full: bool
) -> None:
    target = LatencyTarget.of(500, most=40)
    quick, slow = sorted((one_ms, other_ms))
    after_quick = target.steered(limit, latency_ms=quick, was_full=was_full)
    after_slow = target.steered(limit, latency_ms=slow, was_full=was_full)
    assert after_slow <= after_quick


@given(st.integers(1, 40), st.floats(0, 500))
def test_a_limit_that_was_not_used_does_not_rise(limit: int, latency_ms: float) -> None:
    target = LatencyTarget.of(500, most=40)
    assert target.steered(limit, latency_ms=latency_ms, was_full=False) == limit


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 40))
def test_a_limit_comes_to_what_the_work_can_take_and_stays_there(
    start: int, capacity: int, most: int
) -> None:
    """Work that goes slower with every message beyond a capacity: the limit ends at it, or a step around it."""
    target = LatencyTarget.of(500, most=most)
    best = min(capacity, most)
    limit, seen = start, []
    for _ in range(200):
        latency_ms = 400 if limit <= capacity else 400 * (1 + limit / capacity)
        limit = target.steered(limit, latency_ms=latency_ms, was_full=True)
        seen.append(limit)
    for settled in seen[100:]:
        assert max(1, int(best * 0.75)) <= settled <= best + 1
    assert best in seen[100:]


@given(st.integers(1, 100), st.integers(0, 200), st.floats(0, 5))
def test_a_round_needs_a_message_for_every_slot_and_a_moment(
    limit: int, samples: int, seconds: float
) -> None:
    is_due = LatencyTarget.of(500, most=100).is_due(limit, samples=samples, seconds=seconds)
    assert is_due == (samples >= limit and seconds >= 0.2)
