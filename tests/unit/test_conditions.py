"""``domain.conditions``: when a condition holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.conditions import InvalidPattern, compiled, holds, is_same
from domain.json import Json, JsonObject
from domain.pipeline import Condition, Operator

MESSAGE: JsonObject = {
    "url": "https://example.org/a",
    "size": 10,
    "is_new": True,
    "nothing": None,
    "items": [{"name": "a"}, {"name": "b"}],
    "tags": ["x", 1],
}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.0", max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)
MESSAGES = st.dictionaries(st.text("ab0", max_size=2), VALUES, max_size=4)
FIELDS = st.text("ab.01²", max_size=6)


def held(field: str, operator: str, value: Json) -> bool:
    return holds(Condition(field=field, operator=Operator(operator), value=value), MESSAGE)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("size", "equals", 10),
        ("size", "equals", 10.0),
        ("nothing", "equals", None),
        ("size", "not_equals", 11),
        ("missing", "not_equals", 1),
        ("url", "matches", "^https://"),
        ("url", "matches", "/a$"),
        ("url", "contains", "example"),
        ("tags", "contains", 1),
        ("items.0", "contains", "name"),
        ("items.1.name", "in", ["a", "b"]),
        ("nothing", "exists", True),
        ("missing", "exists", False),
        ("items.7", "exists", False),
        ("size", "greater_than", 9.5),
        ("size", "less_than", 11),
        ("url", "greater_than", "https://example.org/"),
    ],
)
def test_a_condition_holds(field: str, operator: str, value: Json) -> None:
    """On dotted paths through mappings and lists."""
    assert held(field, operator, value)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("is_new", "equals", 1),
        ("size", "matches", "10"),
        ("tags", "contains", True),
        ("size", "in", [True, "10"]),
        ("nothing", "exists", False),
        ("is_new", "greater_than", 0),
        ("size", "less_than", "9"),
        ("items.-1.name", "equals", "b"),
        ("items.²", "exists", True),
        ("", "exists", True),
        ("url.length", "exists", True),
    ],
)
def test_a_condition_does_not_hold(field: str, operator: str, value: Json) -> None:
    """True is not 1, text is not a number, and a list is not counted from its end."""
    assert not held(field, operator, value)


class Array:
    """Compares by element, as arrays do; some cannot be compared with just anything."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        if other is None:
            raise TypeError("an array is not compared with nothing")
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


@pytest.mark.parametrize("value", [None, 1, "a", [1.0, 2.0]])
def test_an_array_is_there_and_the_same_as_nothing(value: Json) -> None:
    """Between two pipeline adapters a message may hold what is no JSON."""
    message: Any = {"vector": Array()}

    def holding(operator: Operator, value: Json) -> bool:
        return holds(Condition(field="vector", operator=operator, value=value), message)

    assert holding(Operator.NOT_EQUALS, value)
    assert holding(Operator.EXISTS, True)
    assert not holding(Operator.EQUALS, value)
    assert not holding(Operator.IN, [value])
    assert not holding(Operator.CONTAINS, value)


@given(MESSAGES, FIELDS, st.sampled_from(sorted(set(Operator) - {Operator.MATCHES})), VALUES)
def test_no_condition_raises(message: JsonObject, field: str, operator: Operator, value: Json) -> None:
    """Whatever the types."""
    assert holds(Condition(field=field, operator=operator, value=value), message) in {True, False}


@given(MESSAGES, FIELDS, VALUES)
def test_opposites_are_opposite(message: JsonObject, field: str, value: Json) -> None:
    """A field equals or does not, exists or does not."""

    def holding(operator: Operator, value: Json) -> bool:
        return holds(Condition(field=field, operator=operator, value=value), message)

    assert holding(Operator.EQUALS, value) is not holding(Operator.NOT_EQUALS, value)
    assert holding(Operator.EXISTS, value=True) is not holding(Operator.EXISTS, value=False)


@given(FIELDS, VALUES, st.sampled_from(sorted(Operator)))
def test_nothing_but_absence_holds_of_a_missing_field(field: str, value: Json, operator: Operator) -> None:
    """``not_equals`` and ``exists: false`` say absence."""
    condition = Condition(field=field, operator=operator, value=value)
    says_absence = operator is Operator.NOT_EQUALS or (operator is Operator.EXISTS and value is False)
    assert holds(condition, {}) is says_absence


@given(VALUES, VALUES)
def test_sameness_is_an_equivalence(one: Json, other: Json) -> None:
    """Of itself and both ways round."""
    assert is_same(one, one)
    assert is_same(one, other) is is_same(other, one)


@given(SCALARS, SCALARS)
def test_nothing_is_both_greater_and_less(one: Json, other: Json) -> None:
    """The two orders exclude each other."""
    greater = Condition(field="a", operator=Operator.GREATER_THAN, value=other)
    less = Condition(field="a", operator=Operator.LESS_THAN, value=other)
    assert not (holds(greater, {"a": one}) and holds(less, {"a": one}))


@pytest.mark.parametrize("pattern", ["(", "[[", "a{99999999999999999999}", "(" * 5000, "*"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    """With our error, however it fails."""
    with pytest.raises(InvalidPattern):
        compiled(pattern)


def test_a_pattern_with_a_remark_compiles_without_a_warning() -> None:
    """Python warns of a possible nested set."""
    assert compiled("[[a]").pattern == "[[a]"
