"""Checks a pipeline adapter's config against its msgspec Struct and reports everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec

from domain.findings import ConfigProblem, InvalidAdapterConfig
from domain.json import Json, JsonObject

UNKNOWN_TYPE = "E103"
UNKNOWN_FIELD = "E301"
MISSING_FIELD = "E302"
WRONG_VALUE = "E303"

T = TypeVar("T", bound=msgspec.Struct)


def problems(config: JsonObject, struct: type[msgspec.Struct]) -> Iterator[ConfigProblem]:
    """Every problem of a config: unknown fields, missing fields, wrong values, then what contradicts itself."""
    found = [*_unknown_fields(config, struct), *_fields(config, struct)]
    yield from found
    if not found:
        yield from _contradictions(config, struct)


def configured(config: JsonObject, struct: type[T]) -> T:
    """The config as its Struct; raises InvalidAdapterConfig."""
    try:
        return msgspec.convert(dict(config), struct)
    except msgspec.ValidationError as error:
        found = "; ".join(
            f"{problem.path or 'config'}: {problem.message}" for problem in problems(config, struct)
        )
        raise InvalidAdapterConfig(found or str(error)) from error


def closest(name: object, known: Mapping[str, object], otherwise: str) -> str:
    """A sentence that offers the known name most like this one, else the given one."""
    near = get_close_matches(str(name), [str(one) for one in known], n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise


def _fields_of(struct: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


def _unknown_fields(config: JsonObject, struct: type[msgspec.Struct]) -> Iterator[ConfigProblem]:
    known = _fields_of(struct)
    choices = f"known fields: {', '.join(known)}" if known else "this pipeline adapter takes no config"
    for name in config:
        if name not in known:
            yield ConfigProblem(
                code=UNKNOWN_FIELD,
                path=str(name),
                message=f"unknown field {str(name)!r}",
                remediation=closest(name, known, choices),
            )


def _fields(config: JsonObject, struct: type[msgspec.Struct]) -> Iterator[ConfigProblem]:
    for name, field in _fields_of(struct).items():
        if name in config:
            yield from _wrong_value(name, config[name], field.type)
        elif field.required:
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


def _contradictions(config: JsonObject, struct: type[msgspec.Struct]) -> Iterator[ConfigProblem]:
    """What a Struct's own ``__post_init__`` objects to when each field alone is right."""
    try:
        msgspec.convert(dict(config), struct)
    except msgspec.ValidationError as error:
        yield ConfigProblem(
            code=WRONG_VALUE, path="", message=str(error), remediation="change one of the fields it names"
        )
