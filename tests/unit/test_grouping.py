"""How messages are put into groups."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.grouping import LONGEST_FLUSH_SECONDS, MOST_BYTES, MOST_MESSAGES, Grouping, Groups, group_id

GROUPINGS = st.builds(
    Grouping,
    max_messages=st.integers(1, 8),
    max_bytes=st.integers(1, 60),
    flush_seconds=st.floats(0.1, 10),
)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 80), st.sampled_from("abc")),
        st.tuples(st.just("wait"), st.integers(0, 12), st.just("")),
        st.tuples(st.just("flush"), st.just(0), st.just("")),
    ),
    max_size=80,
)
IDS = st.lists(st.uuids(), min_size=1, max_size=6, unique=True)


class Course:
    """Groups to which things happen, with what came out of them beside what went in."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping
        self.groups: Groups[int] = Groups(grouping=grouping, most_messages=12, most_bytes=150)
        self.now = 0.0
        self.put: list[tuple[int, str, float]] = []
        self.out: list[Sequence[int]] = []

    def act(self, kind: str, size: int, key: str) -> None:
        """One thing happens."""
        if kind == "add":
            self.put.append((size, key, self.now))
            number = len(self.put) - 1
            self.out += self.groups.add(number, size=size, key=key, now=self.now)
        elif kind == "wait":
            self.now += size
            self.out += self.groups.due(self.now)
        else:
            self.out += self.groups.take_all()

    @property
    def held(self) -> set[int]:
        """What went in and has not come out."""
        return set(range(len(self.put))) - {number for group in self.out for number in group}


@given(GROUPINGS, ACTS)
def test_every_message_comes_out_once_in_a_group_of_its_key_in_the_order_in_which_it_came(
    grouping: Grouping, acts: list[tuple[str, int, str]]
) -> None:
    course = Course(grouping)
    for act in acts:
        course.act(*act)
    course.act("flush", 0, "")
    numbers = [number for group in course.out for number in group]
    assert sorted(numbers) == list(range(len(course.put)))
    for group in course.out:
        assert group
        assert list(group) == sorted(group)
        assert len({course.put[number][1] for number in group}) == 1


@given(GROUPINGS, ACTS)
def test_no_group_is_larger_than_it_may_be_unless_one_message_alone_is(
    grouping: Grouping, acts: list[tuple[str, int, str]]
) -> None:
    course = Course(grouping)
    for act in acts:
        course.act(*act)
    for group in course.out:
        assert len(group) <= grouping.max_messages
        assert len(group) == 1 or sum(course.put[number][0] for number in group) <= grouping.max_bytes


@given(GROUPINGS, ACTS)
def test_what_is_held_is_bounded_and_never_full_nor_overdue(
    grouping: Grouping, acts: list[tuple[str, int, str]]
) -> None:
    course = Course(grouping)
    for act in acts:
        course.act(*act)
        course.out += course.groups.due(course.now)
        held = course.held
        sizes = [course.put[number][0] for number in held]
        assert (course.groups.messages, course.groups.bytes) == (len(held), sum(sizes))
        assert len(held) <= 12
        assert sum(sizes) <= 150
        for key in "abc":
            of_key = [number for number in held if course.put[number][1] == key]
            assert len(of_key) < grouping.max_messages
            assert sum(course.put[number][0] for number in of_key) < grouping.max_bytes
        firsts = [min(n for n in held if course.put[n][1] == key) for key in {course.put[n][1] for n in held}]
        dues = [course.put[first][2] + grouping.flush_seconds for first in firsts]
        assert course.groups.next_due == min(dues, default=None)
        assert all(due > course.now for due in dues)


@given(IDS, st.randoms(use_true_random=False))
def test_the_id_of_a_group_is_that_of_its_messages_in_any_order(ids: list[UUID], random: object) -> None:
    mixed = list(ids)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert group_id(mixed) == group_id(ids)
    assert group_id(ids) not in {group_id([*ids, uuid4()]), *ids}
    if len(ids) > 1:
        assert group_id(ids[1:]) != group_id(ids)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_messages": 0},
        {"max_messages": MOST_MESSAGES + 1},
        {"max_bytes": 0},
        {"max_bytes": MOST_BYTES + 1},
        {"flush_seconds": 0.0},
        {"flush_seconds": LONGEST_FLUSH_SECONDS + 1},
        {"flush_seconds": float("nan")},
        {"key": "a..b"},
        {"key": ""},
    ],
)
def test_a_grouping_that_cannot_be_is_refused(wrong: dict[str, float | str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Grouping(**wrong)  # type: ignore[arg-type]
