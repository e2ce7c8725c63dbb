"""A search's filter as SQL. What the filter was given travels in parameters only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import msgspec
from psycopg import sql

from adapters.postgres.text_search import storable
from domain.json import Json
from domain.match import SearchFilter
from domain.retrieval.filtering import (
    METADATA,
    NEGATED,
    Comparison,
    Condition,
    Either,
    Every,
    Negation,
    Operator,
)

_LISTS: tuple[tuple[str, LiteralString], ...] = (
    ("origins", "AND s.origin = ANY(%(origins)s::text[])"),
    ("document_ids", "AND s.document_id = ANY(%(document_ids)s::text[])"),
    ("execution_ids", "AND s.execution_id = ANY(%(execution_ids)s::uuid[])"),
    ("language", "AND s.language = %(language)s"),
)

# A segment in an index is of one version, so this neither adds rows nor loses any.
_OF_DOCUMENT = """
    AND EXISTS (SELECT FROM document_version v
                WHERE v.document_id = s.document_id AND v.version = s.version AND {condition})
"""

_COLUMNS: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "origin": ("s.origin", "text"),
    "document_id": ("s.document_id", "text"),
    "language": ("s.language", "text"),
    "title": ("v.title", "text"),
    "url": ("v.url", "text"),
    "indexed_at": ("v.indexed_at", "timestamptz"),
    "execution_id": ("s.execution_id", "uuid"),
    "config_id": ("v.config_id", "uuid"),
}
_OF_VERSION = {"title", "url", "indexed_at", "config_id", METADATA}

_ORDERS: Mapping[Operator, LiteralString] = {
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.LIKE: "LIKE",
}

# Each item of a list, or the one value there is; of no value nothing is true.
_ITEMS = """
    EXISTS (SELECT FROM jsonb_array_elements(
                CASE jsonb_typeof({value}) WHEN 'array' THEN {value} ELSE jsonb_build_array({value}) END
            ) AS item (value)
            WHERE CASE jsonb_typeof(item.value) WHEN {kind} THEN {comparison} ELSE false END)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """Conditions beginning with AND, over ``segment AS s``, and the parameters they name; empty where all is admitted."""

    text: str
    parameters: Mapping[str, Any]


_NONE = Restrictions(text="", parameters={})


def restrictions(where: SearchFilter) -> Restrictions:
    """The conditions of a filter; a plan for just these is better than one for all that there could be."""
    parts: list[sql.Composable] = [sql.SQL(text) for name, text in _LISTS if getattr(where, name)]
    if not parts and where.condition is None:
        return _NONE
    parameters: dict[str, Any] = {
        "origins": [storable(origin) for origin in where.origins],
        "document_ids": [storable(document_id) for document_id in where.document_ids],
        "execution_ids": list(where.execution_ids),
        "language": where.language,
    }
    if where.condition is not None:
        writer = _Writer()
        condition = writer.condition(where.condition)
        form = _OF_DOCUMENT if _asks_of_version(where.condition) else "AND {condition}"
        parts.append(sql.SQL(form).format(condition=condition))
        parameters |= writer.parameters
    return Restrictions(text=sql.SQL(" ").join(parts).as_string(), parameters=parameters)


def _asks_of_version(condition: Condition) -> bool:
    match condition:
        case Comparison():
            return condition.field in _OF_VERSION
        case Negation():
            return _asks_of_version(condition.condition)
    return any(map(_asks_of_version, condition.conditions))


@dataclass(slots=True)
class _Writer:
    """Writes conditions that are true or false, never NULL."""

    parameters: dict[str, Any] = field(default_factory=dict)

    def condition(self, condition: Condition) -> sql.Composable:
        match condition:
            case Every(conditions=conditions):
                return self._joined(conditions, " AND ", "true")
            case Either(conditions=conditions):
                return self._joined(conditions, " OR ", "false")
            case Negation(condition=inner):
                return sql.SQL("NOT ({})").format(self.condition(inner))
        write = self._of_metadata if condition.field == METADATA else self._of_column
        if condition.operator in NEGATED:
            return sql.SQL("NOT ({})").format(write(condition, NEGATED[condition.operator]))
        return write(condition, condition.operator)

    def _joined(
        self, conditions: Sequence[Condition], by: LiteralString, of_none: LiteralString
    ) -> sql.Composable:
        if not conditions:
            return sql.SQL(of_none)
        return sql.SQL("({})").format(sql.SQL(by).join(map(self.condition, conditions)))

    def _of_column(self, comparison: Comparison, operator: Operator) -> sql.Composable:
        column, kind = (sql.SQL(text) for text in _COLUMNS[comparison.field])
        if operator is Operator.EXISTS:
            return sql.SQL("({} IS NOT NULL) = {}").format(column, self._given(comparison.operands[0]))
        if operator not in _ORDERS:
            given = self._given(list(comparison.operands))
            return sql.SQL("coalesce({} = ANY({}::{}[]), false)").format(column, given, kind)
        collation = sql.SQL(' COLLATE "C"' if _COLUMNS[comparison.field][1] == "text" else "")
        return sql.SQL("coalesce({}{} {} {}::{}, false)").format(
            column, collation, sql.SQL(_ORDERS[operator]), self._given(comparison.operands[0]), kind
        )

    def _of_metadata(self, comparison: Comparison, operator: Operator) -> sql.Composable:
        if operator in {Operator.EQ, Operator.IN}:
            held = [
                msgspec.json.encode(_nested(comparison.path, form)).decode()
                for operand in comparison.operands
                for form in (operand, [operand])
            ]
            return sql.SQL("v.metadata @> ANY({}::jsonb[])").format(self._given(held))
        steps = [sql.SQL(" -> {}::text").format(self._given(name)) for name in comparison.path]
        value = sql.Composed([sql.SQL("(v.metadata"), *steps, sql.SQL(")")])
        (operand,) = comparison.operands
        if operator is Operator.EXISTS:
            given = self._given(operand)
            return sql.SQL("(coalesce(jsonb_typeof({}), 'null') <> 'null') = {}").format(value, given)
        return self._ordered(value, operator, operand)

    def _ordered(self, value: sql.Composable, operator: Operator, operand: Any) -> sql.Composable:
        is_text = isinstance(operand, str)
        comparison = sql.SQL(
            "(item.value #>> '{{}}') COLLATE \"C\" {} {}::text"
            if is_text
            else "item.value::numeric {} {}::numeric"
        ).format(sql.SQL(_ORDERS[operator]), self._given(operand if is_text else repr(operand)))
        kind = sql.SQL("'string'" if is_text else "'number'")
        return sql.SQL(_ITEMS).format(value=value, kind=kind, comparison=comparison)

    def _given(self, value: Any) -> sql.Placeholder:
        name = f"where_{len(self.parameters)}"
        self.parameters[name] = value
        return sql.Placeholder(name)


def _nested(path: Sequence[str], value: Any) -> Json:
    for name in reversed(path):
        value = {name: value}
    return value  # type: ignore[no-any-return]
