"""Reading filters: what they may say, and where they are at fault."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retrieval.filter_parsing import MAX_CONDITIONS, InvalidFilter, parse_filter
from domain.retrieval.filtering import Comparison, Operator, admits
from domain.retrieval.search_filters import search_filter
from domain.retrieval.wildcards import is_complete, is_like
from tests.contracts.filters import admitted, filters, metadata

RUN = "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55"


def nested(depth: int) -> dict[str, Any]:
    return {"not": nested(depth - 1)} if depth else {"origin": "a"}


@given(filters, metadata, st.sampled_from(["shelf", "attic"]))
def test_a_filter_means_what_it_means_in_plain_python(
    given_filter: dict[str, Any], held: dict[str, Any], origin: str
) -> None:
    values: dict[str, Any] = {"origin": origin, "metadata": held}
    condition = parse_filter(given_filter)
    assert condition is not None
    assert admits(condition, values) == admitted(given_filter, values)


@given(st.text(alphabet="ab%_\\\n", max_size=8), st.text(alphabet="ab%_\\\n", max_size=8))
def test_patterns_are_those_of_like(text: str, pattern: str) -> None:
    if not is_complete(pattern):
        return
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expected = "".join({"%": ".*", "_": "."}.get(part, re.escape(part[-1])) for part in parts)
    assert is_like(text, pattern) == bool(re.fullmatch(expected, text, re.DOTALL))


def test_a_pattern_of_many_runs_is_matched_at_once() -> None:
    assert not is_like("a" * 20_000, "%a" * 500 + "b")


def test_operands_become_what_their_field_holds() -> None:
    assert parse_filter({"execution_id": RUN}) == Comparison(
        field="execution_id", operator=Operator.EQ, operands=(UUID(RUN),)
    )
    assert parse_filter({"indexed_at": {"gte": "2026-01-31T12:00:00+02:00"}}) == Comparison(
        field="indexed_at", operator=Operator.GTE, operands=(datetime(2026, 1, 31, 10, tzinfo=UTC),)
    )
    assert parse_filter({"metadata.dc\\.title.x": 1}) == Comparison(
        field="metadata", path=("dc.title", "x"), operator=Operator.EQ, operands=(1,)
    )
    assert parse_filter({}) is None


def test_what_was_said_as_lists_still_is() -> None:
    where = search_filter({"origins": ["a", "a"], "execution_ids": [RUN], "language": "no", "title": "t"})
    assert (where.origins, where.execution_ids, where.language) == (("a",), (UUID(RUN),), "no")
    assert where.condition == Comparison(field="title", operator=Operator.EQ, operands=("t",))
    assert search_filter({"origin": "a", "document_id": ["d"]}).condition is None
    assert search_filter({"origin": [], "origins": ["a"]}).condition is not None
    assert search_filter({"origins": [], "document_ids": None, "language": None}) == search_filter({})


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"orign": "a"}, "filters.orign"),
        ({"metadata": 1}, "filters.metadata"),
        ({"metadata.": 1}, "filters.metadata."),
        ({"origin": 3}, "filters.origin"),
        ({"origin": None}, "filters.origin"),
        ({"origin": {}}, "filters.origin"),
        ({"origin": {"is": "a"}}, "filters.origin.is"),
        ({"origin": {"eq": ["a"]}}, "filters.origin.eq"),
        ({"origin": {"in": "a"}}, "filters.origin.in"),
        ({"origin": ["a", 1]}, "filters.origin[1]"),
        ({"origin": "a\x00"}, "filters.origin"),
        ({"origin": "a" * 2001}, "filters.origin"),
        ({"origin": ["a"] * 1001}, "filters.origin"),
        ({"execution_id": "x"}, "filters.execution_id"),
        ({"execution_id": {"gt": RUN}}, "filters.execution_id.gt"),
        ({"execution_id": {"like": RUN}}, "filters.execution_id.like"),
        ({"indexed_at": {"lt": "yesterday"}}, "filters.indexed_at.lt"),
        ({"metadata.x": None}, "filters.metadata.x"),
        ({"metadata.x": {"gt": True}}, "filters.metadata.x.gt"),
        ({"metadata.x": {"like": 1}}, "filters.metadata.x.like"),
        ({"metadata.x": {"like": "a\\"}}, "filters.metadata.x.like"),
        ({"metadata.x": {"exists": 1}}, "filters.metadata.x.exists"),
        ({"metadata.x": {"gt": float("inf")}}, "filters.metadata.x.gt"),
        ({"metadata.x": {"eq": 2**64}}, "filters.metadata.x.eq"),
        ({"metadata.x": {"eq": {"a": 1}}}, "filters.metadata.x.eq"),
        ({"metadata.\x00": 1}, "filters.metadata.\x00"),
        ({"and": []}, "filters.and"),
        ({"or": {"origin": "a"}}, "filters.or"),
        ({"and": ["a"]}, "filters.and[0]"),
        ({"not": [{"origin": "a"}]}, "filters.not"),
        ({"or": [{"origin": "a"}, {"origin": {"gt": 1}}]}, "filters.or[1].origin.gt"),
        (nested(10), "filters" + ".not" * 10),
        ({"and": [{"origin": "a"}] * MAX_CONDITIONS}, f"filters.and[{MAX_CONDITIONS - 1}].origin"),
        ({"origins": [3]}, "filters.origins[0]"),
        ({"execution_ids": ["x"]}, "filters.execution_ids[0]"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_wrong_is_said_with_its_place(wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        search_filter(wrong)
    assert caught.value.path == path
    assert caught.value.message.startswith(f"{path}: ")


def test_a_field_that_is_nearly_right_is_guessed() -> None:
    with pytest.raises(InvalidFilter, match="did you mean language"):
        search_filter({"langauge": "de"})


def test_filters_may_be_nested_so_deep() -> None:
    assert search_filter(nested(9)).condition is not None
