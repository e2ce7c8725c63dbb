"""Identifiers from the system grow, whatever its clock does."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from adapters.system.id_source import SystemIdSource

MOMENTS = st.lists(st.integers(min_value=0, max_value=1 << 40), min_size=1, max_size=50)


@given(MOMENTS)
def test_ids_grow_though_the_clock_jumps_back_and_forth(moments: Sequence[int]) -> None:
    """Each id is a version 7 UUID greater than the one before."""
    times = iter(moments)
    source = SystemIdSource(milliseconds=lambda: next(times))
    ids = [source.new_id() for _ in moments]
    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}


def test_an_id_tells_its_moment() -> None:
    """The first 48 bits are the Unix time in milliseconds."""
    assert SystemIdSource(milliseconds=lambda: 1_700_000_000_123).new_id().int >> 80 == 1_700_000_000_123


def test_a_full_counter_borrows_from_the_next_millisecond() -> None:
    """Rather than starting again below."""
    source = SystemIdSource(milliseconds=lambda: 5)
    first = source.new_id()
    source._counter = (1 << 74) - 1
    second = source.new_id()
    assert first < second
    assert second.int >> 80 == 6


def test_threads_never_get_the_same_id() -> None:
    """Four of them at once."""
    source = SystemIdSource()
    found: list[UUID] = []

    def draw() -> None:
        found.extend(source.new_id() for _ in range(2000))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 8000


def test_randomness_lies_between_zero_and_one() -> None:
    """One itself excluded, and not always the same."""
    drawn = {SystemIdSource().randomness() for _ in range(100)}
    assert all(0 <= number < 1 for number in drawn)
    assert len(drawn) > 90
