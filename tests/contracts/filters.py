"""Filters to test with, and what they mean in plain Python: written apart from the code that is tested."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

TEXTS = ("", "a", "Aa", "b%c", "å_\\", "東京", "2026-01-31", "z")
NUMBERS = (-1, 0, 1, 1.0, 2.5, 10, 1e6, 2**53, float(2**53))
PATHS = ("metadata.year", "metadata.tags", "metadata.site.name", "metadata.a\\.b", "metadata.none")
PATTERNS = ("", "%", "_", "a%", "%a", "b\\%c", "%\\\\", "__", "%京", "A_%", "2026-%")

scalars = st.one_of(st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans())
held = st.one_of(
    scalars,
    st.none(),
    st.lists(st.one_of(scalars, st.none(), st.lists(scalars, max_size=2)), max_size=3),
    st.dictionaries(st.sampled_from(["name", "year"]), scalars, max_size=2),
)
metadata = st.dictionaries(st.sampled_from(["year", "tags", "site", "a.b", "a"]), held, max_size=4)
_ordered = st.one_of(st.sampled_from(TEXTS), st.sampled_from(NUMBERS))
_operators = st.one_of(
    st.fixed_dictionaries({"eq": scalars}),
    st.fixed_dictionaries({"ne": scalars}),
    st.fixed_dictionaries({"in": st.lists(scalars, max_size=3)}),
    st.fixed_dictionaries({"nin": st.lists(scalars, max_size=3)}),
    st.sampled_from(["gt", "gte", "lt", "lte"]).flatmap(lambda name: st.fixed_dictionaries({name: _ordered})),
    st.fixed_dictionaries({"like": st.sampled_from(PATTERNS)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"gte": _ordered, "lte": _ordered}),
)
_texts = st.one_of(
    st.sampled_from(["shelf", "attic"]),
    st.fixed_dictionaries({"like": st.sampled_from(["%e%", "_ttic", "shelf%"])}),
    st.fixed_dictionaries({"gt": st.sampled_from(["a", "attic", "b"])}),
    st.fixed_dictionaries({"nin": st.lists(st.sampled_from(["shelf", "attic"]), max_size=2)}),
)
_leaves = st.one_of(
    st.tuples(st.sampled_from(PATHS), st.one_of(_operators, scalars, st.lists(scalars, max_size=2))),
    st.tuples(st.just("origin"), _texts),
).map(lambda pair: {pair[0]: pair[1]})
filters = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
        st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]}),
    ),
    max_leaves=6,
)


def admitted(given: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether values, by field and with the metadata under its name, are as the filter says."""
    return all(_member(name, value, values) for name, value in given.items())


def _member(name: str, value: Any, values: Mapping[str, Any]) -> bool:
    if name == "and":
        return all(admitted(one, values) for one in value)
    if name == "or":
        return any(admitted(one, values) for one in value)
    if name == "not":
        return not admitted(value, values)
    found: Any = values
    for step in re.split(r"(?<!\\)\.", name):
        found = found.get(step.replace("\\.", ".")) if isinstance(found, dict) else None
    if not isinstance(value, dict):
        value = {"in": value} if isinstance(value, list) else {"eq": value}
    return all(_compared(operator, operand, found) for operator, operand in value.items())


def _compared(operator: str, operand: Any, found: Any) -> bool:
    if operator == "ne":
        return not _compared("eq", operand, found)
    if operator == "nin":
        return not _compared("in", operand, found)
    if operator == "exists":
        return bool((found is not None) == operand)
    if operator == "in":
        return any(_compared("eq", one, found) for one in operand)
    return any(_one(operator, operand, item) for item in (found if isinstance(found, list) else [found]))


def _one(operator: str, operand: Any, item: Any) -> bool:
    if _kind(operand) != _kind(item) or _kind(item) is None:
        return False
    if operator == "like":
        return re.fullmatch(_regex(operand), item, re.DOTALL) is not None
    return bool(
        {
            "eq": lambda: item == operand,
            "gt": lambda: item > operand,
            "gte": lambda: item >= operand,
            "lt": lambda: item < operand,
            "lte": lambda: item <= operand,
        }[operator]()
    )


def _kind(value: Any) -> str | None:
    kinds = {bool: "truth", int: "number", float: "number", str: "text"}
    return kinds.get(type(value))


def _regex(pattern: str) -> str:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return "".join(wild.get(part, re.escape(part[-1])) for part in parts)
