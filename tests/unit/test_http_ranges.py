"""Byte ranges and entity tags: `adapters/http/ranges.py`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.errors import MalformedRequest, RangeNotSatisfiable
from adapters.http.ranges import ByteRange, byte_range, etag_matches, expected_version


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-4", ByteRange(0, 5)),
        ("bytes=5-", ByteRange(5, 10)),
        ("bytes=-3", ByteRange(7, 10)),
        ("bytes=-99", ByteRange(0, 10)),
        ("bytes=8-99", ByteRange(8, 10)),
        ("bytes=9-9", ByteRange(9, 10)),
    ],
)
def test_one_range_is_cut_to_the_object(header: str, expected: ByteRange) -> None:
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=-",
        "bytes=a-b",
        "lines=1-2",
        "bytes=1-2,4-5",
        "bytes=4-2",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_what_is_not_one_range_asks_for_the_whole(header: str | None) -> None:
    assert byte_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)]
)
def test_a_range_outside_the_object_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        byte_range(header, size)
    assert caught.value.size == size


@given(first=st.integers(0, 2000), last=st.integers(0, 2000), size=st.integers(1, 1000))
def test_a_range_never_leaves_the_object(first: int, last: int, size: int) -> None:
    try:
        found = byte_range(f"bytes={first}-{last}", size)
    except RangeNotSatisfiable:
        assert first >= size
    else:
        assert found is None or (0 <= found.start < found.end <= size and found.length <= last - first + 1)


@pytest.mark.parametrize(
    ("header", "matches"),
    [(None, False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False)],
)
def test_entity_tags_are_compared_weakly(header: str | None, matches: bool) -> None:
    assert etag_matches(header, '"a"') is matches


def test_if_match_demands_one_version() -> None:
    assert [expected_version(header) for header in (None, "*", '"3"', ' "12" ')] == [None, None, 3, 12]


@pytest.mark.parametrize("header", ["3", '"x"', 'W/"3"', '"1", "2"', '""', '"' + "9" * 40 + '"'])
def test_an_if_match_that_names_no_version_is_malformed(header: str) -> None:
    with pytest.raises(MalformedRequest):
        expected_version(header)
