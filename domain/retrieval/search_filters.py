"""The one form in which search and chat are given their filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from domain.json import Json, JsonObject
from domain.match import SearchFilter
from domain.retrieval.filter_parsing import parse_filter, texts_of
from domain.retrieval.filtering import Operand

Held = TypeVar("Held", str, UUID)

LISTS: Mapping[str, str] = {
    "origins": "origin",
    "document_ids": "document_id",
    "execution_ids": "execution_id",
}
"""Fields under the names that take a list of which any value will do; an empty one and null restrict nothing."""


def search_filter(given: JsonObject, *, path: str = "filters") -> SearchFilter:
    """What the filter admits; raises InvalidFilter with the place of the fault, which begins with ``path``.

    A plain ``language`` is also the one that the query is stemmed in; null restricts nothing.
    """
    lists: dict[str, Sequence[Operand]] = {}
    conditions: dict[str, Json] = {}
    language: str | None = None
    for name, value in given.items():
        if several := _list(name, value, given):
            lists[several] = () if value is None else texts_of(LISTS[several], value, f"{path}.{name}")
        elif name == "language" and (value is None or isinstance(value, str)):
            if value is not None:
                (text,) = texts_of(name, value, f"{path}.{name}")
                language = str(text) or None
        else:
            conditions[name] = value
    return SearchFilter(
        origins=_distinct(lists, "origins", str),
        document_ids=_distinct(lists, "document_ids", str),
        execution_ids=_distinct(lists, "execution_ids", UUID),
        language=language,
        condition=parse_filter(conditions, path=path),
    )


def _list(name: str, value: Json, given: JsonObject) -> str | None:
    """Which list says the same; a field's own name does with values that are not empty."""
    if name in LISTS:
        return name
    several = next((several for several, one in LISTS.items() if one == name), None)
    is_plain = bool(value) and isinstance(value, (str, Sequence))
    return several if is_plain and several not in given else None


def _distinct(lists: Mapping[str, Sequence[Operand]], name: str, kind: type[Held]) -> Sequence[Held]:
    return tuple(dict.fromkeys(one for one in lists.get(name, ()) if isinstance(one, kind)))
