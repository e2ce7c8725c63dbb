"""Templates in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from adapters.postgres.database import Database
from adapters.postgres.text_search import storable
from domain.templates.parameters import Parameter, ParameterType
from domain.templates.template import (
    Template,
    TemplateChanged,
    TemplateKind,
    TemplateNameTaken,
    TemplateNotFound,
)

_COLUMNS = "id, name, kind, description, text, parameters, version, created_at, updated_at"

_ADD = f"""
    INSERT INTO template ({_COLUMNS}) VALUES (
        %(id)s, %(name)s, %(kind)s, %(description)s, %(text)s, %(parameters)s, %(version)s, %(created_at)s,
        %(updated_at)s
    )
    ON CONFLICT (name) DO NOTHING
"""  # noqa: S608 - constants

_GET = f"SELECT {_COLUMNS} FROM template WHERE id = %(id)s OR name = %(name)s"  # noqa: S608 - constants

_LIST = f"""
    SELECT {_COLUMNS} FROM template WHERE %(kind)s::text IS NULL OR kind = %(kind)s
    ORDER BY name LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 - constants

_COUNT = "SELECT count(*) FROM template WHERE %(kind)s::text IS NULL OR kind = %(kind)s"

_REPLACE = """
    UPDATE template SET description = %(description)s, text = %(text)s, parameters = %(parameters)s,
        version = %(version)s, updated_at = %(updated_at)s
    WHERE id = %(id)s AND version = %(expected)s
"""

_REMOVE = "DELETE FROM template WHERE id = %(id)s AND version = coalesce(%(expected)s::integer, version)"


class PostgresTemplates:
    """The ``Templates`` port over the table ``template``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, template: Template) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            if (await connection.execute(_ADD, _values(template))).rowcount == 0:
                raise TemplateNameTaken

    async def get(self, id_or_name: UUID | str) -> Template:
        """See the port."""
        is_id = isinstance(id_or_name, UUID)
        given = {"id": id_or_name if is_id else None, "name": None if is_id else storable(str(id_or_name))}
        async with self._database.connection() as connection:
            row = await (await connection.execute(_GET, given)).fetchone()
        if row is None:
            raise TemplateNotFound
        return _template(row)

    async def list(
        self, *, kind: TemplateKind | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Template], int]:
        """See the port."""
        given = {"kind": None if kind is None else kind.value, "limit": limit, "offset": offset}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_LIST, given)).fetchall()
            total = await (await connection.execute(_COUNT, given)).fetchone()
        return [_template(row) for row in rows], total[0] if total else 0

    async def replace(self, template: Template, *, expected_version: int) -> None:
        """See the port."""
        await self._change(_REPLACE, template.id, _values(template) | {"expected": expected_version})

    async def remove(self, template_id: UUID, *, expected_version: int | None = None) -> None:
        """See the port."""
        await self._change(_REMOVE, template_id, {"id": template_id, "expected": expected_version})

    async def _change(self, statement: str, template_id: UUID, given: dict[str, Any]) -> None:
        async with self._database.connection() as connection:
            changed = (await connection.execute(statement.encode(), given)).rowcount > 0
        if not changed:
            await self.get(template_id)
            raise TemplateChanged


def _values(template: Template) -> dict[str, Any]:
    return {
        "id": template.id,
        "name": template.name,
        "kind": template.kind.value,
        "description": template.description,
        "text": template.text,
        "parameters": Jsonb(msgspec.to_builtins(list(template.parameters))),
        "version": template.version,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
    }


def _template(row: Sequence[Any]) -> Template:
    return Template(
        id=row[0],
        name=row[1],
        kind=TemplateKind(row[2]),
        description=row[3],
        text=row[4],
        parameters=tuple(_parameter(one) for one in row[5]),
        version=row[6],
        created_at=row[7],
        updated_at=row[8],
    )


def _parameter(value: dict[str, Any]) -> Parameter:
    # Not by msgspec.convert: a default is any JSON value, and its type here refers to itself.
    choices = tuple(value["choices"])
    return Parameter(**{**value, "type": ParameterType(value["type"]), "choices": choices})
