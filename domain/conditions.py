"""Whether a condition holds for a message."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeGuard

from domain.errors import Invalid
from domain.json import Json, JsonObject
from domain.pipeline import Condition, Operator

_POSITION = re.compile(r"[0-9]{1,9}")


class InvalidPattern(Invalid):
    """The regular expression cannot be compiled."""

    code = "invalid_pattern"


class _Missing:
    """Stands for a field that is not there: null is a value."""


_MISSING = _Missing()


def holds(condition: Condition, message: JsonObject) -> bool:
    """Whether the message's field stands to the condition's value as the operator says.

    ``field`` is keys and list positions (from 0) joined by dots. Where it leads nowhere, ``not_equals`` and
    ``exists: false`` hold and nothing else does. ``true`` is not 1; 1 is 1.0. Numbers compare with numbers and texts
    with texts, by code points; ``contains`` looks for a part of a text, an element of a list or a key of a mapping.
    Raises InvalidPattern only for a ``matches`` that validation has not seen.
    """
    found = _follow(condition.field, message)
    if condition.operator is Operator.EXISTS:
        return isinstance(found, _Missing) is (condition.value is False)
    if isinstance(found, _Missing):
        return condition.operator is Operator.NOT_EQUALS
    return _compare(condition.operator, found, condition.value)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern compiled; raises InvalidPattern."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": a remark for programmers
            return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidPattern(f"the regular expression cannot be compiled: {error}") from error


def value_at(path: str, message: JsonObject) -> Json:
    """What is at a dotted path of a message; None, too, where it leads nowhere."""
    found = _follow(path, message)
    return None if isinstance(found, _Missing) else found


def _follow(path: str, message: JsonObject) -> Json | _Missing:
    value: Json = message
    for part in path.split("."):
        if isinstance(value, Mapping):
            if part not in value:
                return _MISSING
            value = value[part]
        elif _is_list(value) and _POSITION.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _compare(operator: Operator, found: Json, value: Json) -> bool:
    match operator:
        case Operator.EQUALS:
            return is_same(found, value)
        case Operator.NOT_EQUALS:
            return not is_same(found, value)
        case Operator.MATCHES:
            return isinstance(found, str) and isinstance(value, str) and bool(compiled(value).search(found))
        case Operator.CONTAINS:
            return _contains(found, value)
        case Operator.IN:
            return _is_list(value) and any(is_same(found, each) for each in value)
        case Operator.GREATER_THAN:
            return _is_less(value, found)
        case _:
            return _is_less(found, value)


def is_same(one: Json, other: Json) -> bool:
    """Equality as JSON has it: true is not 1, however deep it stands.

    What is no JSON, such as an array between two pipeline adapters, is the same as something only if it says so by a
    plain truth.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(is_same, one, other))
    return _is_equal(one, other)


def _is_equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 (arrays compare by element, and each library has an error of its own for that)
        return False


def _contains(whole: Json, part: Json) -> bool:
    if isinstance(whole, str | Mapping):
        return isinstance(part, str) and part in whole
    return _is_list(whole) and any(is_same(each, part) for each in whole)


def _is_less(one: Json, other: Json) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one < other
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    return isinstance(one, int | float) and isinstance(other, int | float) and one < other


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
