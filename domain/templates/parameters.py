"""The parameters of a template and what their values may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from domain.errors import Invalid
from domain.json import Json, JsonObject

MAX_VALUE = 20_000
MAX_ITEMS = 1_000
MAX_CHOICES = 100
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class InvalidParameter(Invalid):
    """A template's parameter is not valid."""

    code = "template_parameter_invalid"


class InvalidValues(Invalid):
    """The values do not fit the template's parameters."""

    code = "template_values_invalid"


class ParameterType(StrEnum):
    """What a value is; ``list`` is of strings."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. Without a value it is its ``default``; one that is required has none.

    A parameter that is neither required nor has a default is null. ``choices`` are all the values that it may have.
    """

    name: str
    type: ParameterType = ParameterType.STRING
    description: str = ""
    is_required: bool = False
    default: Json = None
    choices: Sequence[Json] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidParameter(
                "a parameter's name begins with a letter or _ and has up to 64 of them and digits"
            )
        if len(self.description) > 500 or _UNSTORABLE.search(self.description):
            raise InvalidParameter(f"the description of {self.name} has at most 500 characters")
        if self.is_required and self.default is not None:
            raise InvalidParameter(f"{self.name} is required, so it has no default")
        if len(self.choices) > MAX_CHOICES:
            raise InvalidParameter(f"{self.name} has at most {MAX_CHOICES} choices")
        for value in (*self.choices, *([] if self.default is None else [self.default])):
            if (objection := self.objection(value)) is not None:
                raise InvalidParameter(objection)

    def objection(self, value: Json) -> str | None:
        """Why the parameter cannot have that value, or None."""
        if not _IS_OF_TYPE[self.type](value):
            return f"{self.name} is not a {self.type} that can be written"
        if self.choices and value not in self.choices:
            return f"{self.name} is none of its choices"
        return None


def values_of(parameters: Sequence[Parameter], given: JsonObject) -> Mapping[str, Json]:
    """The value of every parameter; raises InvalidValues with everything that is wrong."""
    known = {parameter.name for parameter in parameters}
    wrong = [f"there is no parameter {name[:64]!r}" for name in given if name not in known]
    values: dict[str, Json] = {}
    for parameter in parameters:
        value = given.get(parameter.name)
        if value is None:
            value = parameter.default
            if parameter.is_required:
                wrong.append(f"{parameter.name} is required")
        elif (objection := parameter.objection(value)) is not None:
            wrong.append(objection)
        values[parameter.name] = value
    if wrong:
        raise InvalidValues("; ".join(wrong[:10]))
    return values


def _is_string(value: Json) -> bool:
    return isinstance(value, str) and len(value) <= MAX_VALUE and not _UNSTORABLE.search(value)


def _is_integer(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: Json) -> bool:
    return _is_integer(value) or (isinstance(value, float) and isfinite(value))


def _is_list(value: Json) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) <= MAX_ITEMS
        and all(map(_is_string, value))
    )


_IS_OF_TYPE = {
    ParameterType.STRING: _is_string,
    ParameterType.INTEGER: _is_integer,
    ParameterType.NUMBER: _is_number,
    ParameterType.BOOLEAN: lambda value: isinstance(value, bool),
    ParameterType.LIST: _is_list,
}
