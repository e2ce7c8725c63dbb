"""Reads filters as they travel: ``{"origin": "docs", "metadata.year": {"gte": 2020}, "or": [{…}, {…}]}``."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from domain.errors import Invalid
from domain.json import Json, JsonObject
from domain.language import one_code
from domain.retrieval.filtering import (
    METADATA,
    Comparison,
    Condition,
    Either,
    Every,
    Negation,
    Operand,
    Operator,
)
from domain.retrieval.wildcards import is_complete

MAX_DEPTH = 10
MAX_CONDITIONS = 200
MAX_VALUES = 1000
MAX_TEXT = 2000

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DOT = re.compile(r"(?<!\\)\.")
_EQUATING = {Operator.EQ, Operator.NE, Operator.IN, Operator.NIN}
_ORDERED = {Operator.GT, Operator.GTE, Operator.LT, Operator.LTE}
_INTEGERS = range(-(2**63), 2**64)


class InvalidFilter(Invalid):
    """The filter is not valid."""

    code = "filter_invalid"

    def __init__(self, message: str | None = None, *, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path and message else message)
        self.path = path
        self.reason = message or self.message


def parse_filter(given: JsonObject, *, path: str = "filters") -> Condition | None:
    """The condition that a filter states, None for an empty one; raises InvalidFilter with the place of the fault.

    Members of one object all hold. A field's value is an operand, a list of operands (any of them), or an object of
    operators. ``path`` is where the filter stands in what the caller was given.
    """
    return _Parser().conditions(given, path) if given else None


@dataclass(slots=True)
class _Parser:
    count: int = field(default=0)

    def conditions(self, given: Json, path: str, depth: int = 1) -> Condition:
        if not isinstance(given, Mapping):
            raise InvalidFilter("an object of conditions is expected", path=path)
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"a filter is nested at most {MAX_DEPTH} deep", path=path)
        found = [
            condition
            for name, value in given.items()
            for condition in self._member(name, value, f"{path}.{name}", depth)
        ]
        return found[0] if len(found) == 1 else Every(conditions=tuple(found))

    def _member(self, name: str, value: Json, path: str, depth: int) -> Iterator[Condition]:
        self._count(path)
        match name:
            case "and" | "or":
                if not isinstance(value, Sequence) or isinstance(value, str) or not value:
                    raise InvalidFilter("a list of at least one filter is expected", path=path)
                inner = tuple(
                    self.conditions(one, f"{path}[{number}]", depth + 1) for number, one in enumerate(value)
                )
                yield Every(conditions=inner) if name == "and" else Either(conditions=inner)
            case "not":
                yield Negation(condition=self.conditions(value, path, depth + 1))
            case _:
                yield from self._comparisons(name, value, path)

    def _comparisons(self, name: str, value: Json, path: str) -> Iterator[Comparison]:
        read, metadata_path = _field(name, path)
        kind = METADATA if metadata_path else name
        if isinstance(value, Mapping):
            if not value:
                raise InvalidFilter(f"an operator is expected: {', '.join(Operator)}", path=path)
            for operator, operand in value.items():
                place = f"{path}.{operator}"
                self._count(place)
                yield _comparison(kind, metadata_path, _operator(operator, place), operand, read, place)
        else:
            is_list = isinstance(value, Sequence) and not isinstance(value, str)
            yield _comparison(kind, metadata_path, Operator.IN if is_list else Operator.EQ, value, read, path)

    def _count(self, path: str) -> None:
        self.count += 1
        if self.count > MAX_CONDITIONS:
            raise InvalidFilter(f"a filter has at most {MAX_CONDITIONS} conditions", path=path)


def texts_of(name: str, value: Json, path: str) -> Sequence[Operand]:
    """What a field that takes one operand or a list of them is given; raises InvalidFilter."""
    operator = Operator.EQ if isinstance(value, str) else Operator.IN
    return tuple(_operands(operator, value, FIELDS[name], path))


def _comparison(
    name: str, metadata_path: Sequence[str], operator: Operator, value: Json, read: _Read, path: str
) -> Comparison:
    operands: Iterable[Operand] = _operands(operator, value, read, path)
    if name == "language" and operator in _EQUATING:
        operands = (one_code(str(one)) for one in operands)
    return Comparison(field=name, path=metadata_path, operator=operator, operands=tuple(operands))


def _operands(operator: Operator, value: Json, read: _Read, path: str) -> Iterator[Operand]:
    if operator in {Operator.IN, Operator.NIN}:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InvalidFilter("a list is expected", path=path)
        if len(value) > MAX_VALUES:
            raise InvalidFilter(f"a list has at most {MAX_VALUES} values", path=path)
        for number, one in enumerate(value):
            yield read(one, f"{path}[{number}]")
    elif operator is Operator.EXISTS:
        if not isinstance(value, bool):
            raise InvalidFilter("true or false is expected", path=path)
        yield value
    else:
        operand = read(value, path)
        _require_fit(operator, operand, path)
        yield operand


def _require_fit(operator: Operator, operand: Operand, path: str) -> None:
    if operator is Operator.LIKE and not isinstance(operand, str):
        raise InvalidFilter("a pattern (% any run of characters, _ any one) is expected", path=path)
    if operator is Operator.LIKE and not is_complete(str(operand)):
        raise InvalidFilter("a pattern does not end with a single backslash", path=path)
    if operator in _ORDERED and isinstance(operand, (bool, UUID)):
        raise InvalidFilter(f"{operator.value} compares texts, numbers and times", path=path)


def _operator(name: str, path: str) -> Operator:
    try:
        return Operator(name)
    except ValueError as error:
        raise InvalidFilter(
            f"there is no operator {name[:40]!r}; there are: {', '.join(Operator)}", path=path
        ) from error


def _field(name: str, path: str) -> tuple[_Read, Sequence[str]]:
    if name in FIELDS:
        return FIELDS[name], ()
    first, *rest = (part.replace("\\.", ".") for part in _DOT.split(name))
    if first == METADATA and rest and all(rest):
        _text(name, path)
        return _any, tuple(rest)
    near = difflib.get_close_matches(name, FIELDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    known = f"{', '.join(FIELDS)} and {METADATA}.<name>"
    raise InvalidFilter(f"there is no field {name[:40]!r}; there are {known}{hint}", path=path)


def _text(value: Json, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidFilter("a text is expected", path=path)
    if len(value) > MAX_TEXT:
        raise InvalidFilter(f"a text has at most {MAX_TEXT} characters", path=path)
    if _UNSTORABLE.search(value):
        raise InvalidFilter("a text holds neither NUL nor lone surrogates", path=path)
    return value


def _id(value: Json, path: str) -> UUID:
    try:
        return UUID(_text(value, path))
    except ValueError as error:
        raise InvalidFilter("a UUID is expected", path=path) from error


def _time(value: Json, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value, path))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidFilter(
            "a time in ISO 8601 is expected, such as 2026-01-31T12:00:00Z", path=path
        ) from error


def _any(value: Json, path: str) -> Operand:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        if not math.isfinite(value) or (isinstance(value, int) and value not in _INTEGERS):
            raise InvalidFilter("numbers are finite and integers fit in 64 bits", path=path)
        return value
    if value is None:
        raise InvalidFilter('null is no value to compare with; say {"exists": false}', path=path)
    if not isinstance(value, str):
        raise InvalidFilter("a text, a number, true or false is expected", path=path)
    return _text(value, path)


_Read = Callable[[Json, str], Operand]

FIELDS: Mapping[str, _Read] = {
    "origin": _text,
    "document_id": _text,
    "execution_id": _id,
    "config_id": _id,
    "language": _text,
    "title": _text,
    "url": _text,
    "indexed_at": _time,
}
"""The fields besides the metadata, with how their operands are read."""
