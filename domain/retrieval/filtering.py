"""What a match must satisfy, as conditions over its document, and whether one does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from domain.json import Json
from domain.retrieval.wildcards import is_like

METADATA = "metadata"

Operand: TypeAlias = "str | int | float | bool | UUID | datetime"
Condition: TypeAlias = "Comparison | Every | Either | Negation"


class Operator(StrEnum):
    """How the values of a field are compared with what is given."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NIN = "nin"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    LIKE = "like"
    EXISTS = "exists"


NEGATED: Mapping[Operator, Operator] = {Operator.NE: Operator.EQ, Operator.NIN: Operator.IN}
"""Each holds exactly where the other does not, also where there is no value at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A field compared with operands: one, or for ``in`` and ``nin`` any number.

    ``path`` leads to a value in the metadata, and is empty for every other field. A value that is a list satisfies a
    comparison when one of its items does. Values of different kinds (text, number, truth value) are neither equal nor
    ordered. Texts are ordered by code point, numbers by the decimals they are written as.
    """

    field: str
    operator: Operator
    operands: Sequence[Operand]
    path: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Every one of the conditions holds; of none too."""

    conditions: Sequence[Condition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """At least one of the conditions holds; of none never."""

    conditions: Sequence[Condition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation:
    """The condition does not hold."""

    condition: Condition


Held: TypeAlias = "Json | UUID | datetime"


def admits(condition: Condition, values: Mapping[str, Held]) -> bool:
    """Whether the condition holds for a match with these values, by the names of its fields."""
    match condition:
        case Every(conditions=conditions):
            return all(admits(one, values) for one in conditions)
        case Either(conditions=conditions):
            return any(admits(one, values) for one in conditions)
        case Negation(condition=inner):
            return not admits(inner, values)
    if condition.operator in NEGATED:
        return not _holds(condition, NEGATED[condition.operator], values)
    return _holds(condition, condition.operator, values)


def _holds(comparison: Comparison, operator: Operator, values: Mapping[str, Held]) -> bool:
    value = _value(values.get(comparison.field), comparison.path)
    if operator is Operator.EXISTS:
        (is_wanted,) = comparison.operands
        return (value is not None) == is_wanted
    return any(
        _satisfies(item, operator, operand) for item in _items(value) for operand in comparison.operands
    )


def _value(value: Held, path: Sequence[str]) -> Held:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _items(value: Held) -> Iterator[Held]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from value
    else:
        yield value


def _satisfies(value: Held, operator: Operator, operand: Operand) -> bool:
    if operator is Operator.LIKE:
        return isinstance(value, str) and is_like(value, str(operand))
    order = _order(value, operand)
    if order is None:
        return False
    match operator:
        case Operator.EQ | Operator.IN:
            return order == 0
        case Operator.GT:
            return order > 0
        case Operator.GTE:
            return order >= 0
        case Operator.LT:
            return order < 0
        case _:
            return order <= 0


def _order(value: Held, operand: Operand) -> int | None:
    """Negative, 0 or positive as the value stands to the operand; None where they cannot be compared."""
    match value, operand:
        case (bool(), bool()) | (str(), str()) | (UUID(), UUID()) | (datetime(), datetime()):
            return (value > operand) - (value < operand)  # type: ignore[operator]
        case (bool(), _) | (_, bool()):
            return None
        case (int() | float(), int() | float()):
            one, other = Decimal(repr(value)), Decimal(repr(operand))
            return (one > other) - (one < other)
    return None
