"""Checks a pipeline adapter's config against the class that declares it and reports everything that is wrong.

The class is a msgspec Struct, as the shipped pipeline adapters have it, or a dataclass, which needs no import.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar, get_type_hints

import msgspec

from domain.findings import ConfigProblem, InvalidAdapterConfig
from domain.json import Json, JsonObject

UNKNOWN_TYPE = "E103"
UNKNOWN_FIELD = "E301"
MISSING_FIELD = "E302"
WRONG_VALUE = "E303"

T = TypeVar("T")


class ConfigField(NamedTuple):
    """One field that YAML may give."""

    type: Any
    is_required: bool


def problems(config: JsonObject, declared: type[Any]) -> Iterator[ConfigProblem]:
    """Every problem of a config: unknown fields, missing fields, wrong values, then what contradicts itself."""
    fields = fields_of(declared)
    found = [*_unknown_fields(config, fields), *_fields(config, fields)]
    yield from found
    if not found:
        yield from _contradictions(config, declared)


def configured(config: JsonObject, declared: type[T]) -> T:
    """The config as an instance of its class; raises InvalidAdapterConfig."""
    try:
        return msgspec.convert(dict(config), declared)
    except msgspec.ValidationError as error:
        found = "; ".join(
            f"{problem.path or 'config'}: {problem.message}" for problem in problems(config, declared)
        )
        raise InvalidAdapterConfig(found or str(error)) from error


def schema_of(declared: type[Any]) -> JsonObject:
    """The JSON Schema of a config's class; raises TypeError for a class that has none.

    What the class does not know is refused, so the schema says so too.
    """
    reference = msgspec.json.schema(declared)
    definitions: dict[str, Any] = dict(reference.get("$defs", {}))
    name = str(reference.get("$ref", "")).rpartition("/")[2]
    if name not in definitions:
        raise TypeError(f"{declared!r} is neither a dataclass nor a msgspec Struct")
    whole = {**definitions.pop(name), "additionalProperties": False}
    return {**whole, "$defs": definitions} if definitions else whole


def fields_of(declared: type[Any]) -> Mapping[str, ConfigField]:
    """The fields of a Struct or dataclass, by the names that YAML uses; raises TypeError for another class."""
    if issubclass(declared, msgspec.Struct):
        return {
            field.encode_name: ConfigField(field.type, field.required)
            for field in msgspec.structs.fields(declared)
        }
    hints = get_type_hints(declared, include_extras=True)
    return {
        field.name: ConfigField(hints[field.name], _is_required(field))
        for field in dataclasses.fields(declared)
        if field.init
    }


def closest(name: object, known: Mapping[str, object], otherwise: str) -> str:
    """A sentence that offers the known name most like this one, else the given one."""
    near = get_close_matches(str(name), [str(one) for one in known], n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _unknown_fields(config: JsonObject, known: Mapping[str, ConfigField]) -> Iterator[ConfigProblem]:
    choices = f"known fields: {', '.join(known)}" if known else "this pipeline adapter takes no config"
    for name in config:
        if name not in known:
            yield ConfigProblem(
                code=UNKNOWN_FIELD,
                path=str(name),
                message=f"unknown field {str(name)!r}",
                remediation=closest(name, known, choices),
            )


def _fields(config: JsonObject, known: Mapping[str, ConfigField]) -> Iterator[ConfigProblem]:
    for name, field in known.items():
        if name in config:
            yield from _wrong_value(name, config[name], field.type)
        elif field.is_required:
            yield ConfigProblem(
                code=MISSING_FIELD,
                path=name,
                message=f"the field {name!r} is missing",
                remediation=f"add {name!r} to the config",
            )


def _wrong_value(name: str, value: Json, expected: Any) -> Iterator[ConfigProblem]:
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        yield ConfigProblem(
            code=WRONG_VALUE,
            path=name + place.rstrip("`"),
            message=reason,
            remediation=f"correct the value of {name!r}",
        )


def _contradictions(config: JsonObject, declared: type[Any]) -> Iterator[ConfigProblem]:
    """What the class's own ``__post_init__`` objects to when each field alone is right."""
    try:
        msgspec.convert(dict(config), declared)
    except msgspec.ValidationError as error:
        yield ConfigProblem(
            code=WRONG_VALUE, path="", message=str(error), remediation="change one of the fields it names"
        )
