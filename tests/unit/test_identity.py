"""Identifiers: RFC 9562, by its text."""

from __future__ import annotations

from enum import Enum
from uuid import RFC_4122, UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity import derived_id, uuid7
from domain.message import child_id

MOMENTS = st.integers(min_value=0, max_value=(1 << 48) - 1)
RANDOMNESS = st.binary(min_size=10, max_size=10)
PARTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=8) | st.integers() | st.uuids(), max_size=5)


@given(MOMENTS, RANDOMNESS)
def test_a_version_7_uuid_says_so_and_tells_its_moment(moment: int, randomness: bytes) -> None:
    """Version, variant, 48 bits of time."""
    made = uuid7(moment, randomness)
    assert (made.version, made.variant, made.int >> 80) == (7, RFC_4122, moment)


@given(MOMENTS, MOMENTS, RANDOMNESS, RANDOMNESS)
def test_version_7_uuids_sort_by_their_moment(one: int, other: int, a: bytes, b: bytes) -> None:
    """Whatever their random bits."""
    if one < other:
        assert uuid7(one, a) < uuid7(other, b)


@given(RANDOMNESS)
def test_74_random_bits_are_kept(randomness: bytes) -> None:
    """All but the six that stand where version and variant go."""
    bits = int.from_bytes(randomness, "big")
    made = uuid7(0, randomness).int
    assert made >> 64 & 0xFFF == bits >> 68
    assert made & (1 << 62) - 1 == bits & (1 << 62) - 1


def test_the_example_of_the_rfc() -> None:
    """Appendix A.6."""
    randomness = (0xCC3 << 68 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0, randomness) == UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@pytest.mark.parametrize(("moment", "size"), [(-1, 10), (1 << 48, 10), (0, 9), (0, 11)])
def test_what_does_not_fit_is_refused(moment: int, size: int) -> None:
    """A moment beyond the year 10889, or another number of bytes."""
    with pytest.raises(ValueError, match=r"48 bits|ten random bytes"):
        uuid7(moment, bytes(size))


@given(PARTS)
def test_a_derived_id_is_the_same_for_the_same_parts(parts: list[str | int | UUID]) -> None:
    """And a version 8 UUID."""
    made = derived_id(*parts)
    assert made == derived_id(*parts)
    assert (made.version, made.variant) == (8, RFC_4122)


@given(PARTS, PARTS)
def test_derived_ids_of_different_parts_differ(
    one: list[str | int | UUID], other: list[str | int | UUID]
) -> None:
    """Also where the parts would read the same joined together."""
    if [encoded(part) for part in one] != [encoded(part) for part in other]:
        assert derived_id(*one) != derived_id(*other)


def encoded(part: str | int | UUID) -> bytes:
    return part.bytes if isinstance(part, UUID) else str(part).encode()


def test_a_derived_id_never_changes() -> None:
    """Stored ids would no longer be found."""
    assert derived_id("segment", "doc", "text", 0) == UUID("4908785a-671a-836c-ae9a-55f7e9307629")


class Color(str, Enum):  # noqa: UP042 (they are met in the wild)
    """Texts that are written in another way than what they are equal to."""

    RED = "red"


@given(
    st.uuids(), st.text(st.characters(codec="utf-8"), max_size=8), st.sampled_from(["#0", "é", "k" * 5000])
)
def test_the_id_of_a_child_is_derived_from_parent_queue_and_key(parent: UUID, queue: str, key: str) -> None:
    """However much of it is remembered from the last time."""
    assert child_id(parent, queue, key) == derived_id("child", parent, queue, key)


def test_the_id_of_a_child_does_not_depend_on_what_was_emitted_before() -> None:
    """Another process, which has seen other messages, must come to the same."""
    parent, queue = uuid4(), f"{uuid4()}"
    assert child_id(parent, queue, "red") == derived_id("child", parent, queue, "red")
    assert child_id(parent, queue, Color.RED) == derived_id("child", parent, queue, Color.RED)
