"""Reads the condition of a step or of an outbound queue."""

from __future__ import annotations

from domain.conditions import InvalidPattern, compiled
from domain.json import Json
from domain.pipeline import Condition, Operator
from domain.validation.patterns import repeats_a_repetition
from domain.validation.section import Section, is_list, kind, shown

MAX_PATTERN = 500


def read_condition(parent: Section) -> Condition | None:
    """The condition under the parent's ``condition`` key, None when there is none or it is not usable."""
    section = parent.section("condition")
    if section is None:
        return None
    section.only("field", "operator", "value")
    field = _field(section)
    operator = _operator(section)
    if operator is None:
        return None
    value = _value(section, operator)
    return Condition(field=field, operator=operator, value=value)


def _field(section: Section) -> str:
    field = section.text("field") if section.required("field") else None
    if field and not all(field.split(".")):
        section.note("E404", "field", f"{shown(field)} has an empty part")
    return field or ""


def _operator(section: Section) -> Operator | None:
    name = section.text("operator") if section.required("operator") else None
    if name is None:
        return None
    if name not in tuple(Operator):
        section.note("E401", "operator", f"{shown(name)} is not one of {', '.join(Operator)}")
        return None
    return Operator(name)


def _value(section: Section, operator: Operator) -> Json:
    if "value" not in section.values:
        if operator is Operator.EXISTS:
            return True
        section.note("E102", "value", "the key 'value' is missing")
        return None
    value = section.values["value"]
    need = _NEEDS.get(operator)
    if need is not None and not _fits(operator, value):
        section.note("E403", "value", f"{operator} needs {need}, not {kind(value)}")
    elif operator is Operator.MATCHES and isinstance(value, str):
        _check_pattern(section, value)
    return value


_NEEDS = {
    Operator.MATCHES: "a regular expression as text",
    Operator.IN: "a list",
    Operator.EXISTS: "true or false",
    Operator.CONTAINS: "a value other than null",
    Operator.GREATER_THAN: "a number or text",
    Operator.LESS_THAN: "a number or text",
}


def _fits(operator: Operator, value: Json) -> bool:
    match operator:
        case Operator.MATCHES:
            return isinstance(value, str)
        case Operator.IN:
            return is_list(value)
        case Operator.EXISTS:
            return isinstance(value, bool)
        case Operator.CONTAINS:
            return value is not None
        case _:
            return isinstance(value, str | int | float) and not isinstance(value, bool)


def _check_pattern(section: Section, pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        section.note("E402", "value", f"the pattern has more than {MAX_PATTERN} characters")
        return
    try:
        compiled(pattern)
    except InvalidPattern as error:
        section.note("E402", "value", error.message)
        return
    if repeats_a_repetition(pattern):
        section.note("W401", "value", "the pattern repeats what is itself repeated")
