"""Examples for the API's description, made from the shapes themselves so that they cannot grow stale."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect as shapes

_BY_NAME: dict[str, Any] = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "config_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "execution_id": "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55",
    "name": "read a website",
    "tag": "nightly-2026-01-31",
    "status": "running",
    "config_yaml": 'version: "1.0"\nroutes: {}\n',
    "key": "executions/01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55/read/markdown/4f1c.md",
    "route_id": "read",
    "stage": "markdown",
    "stage_name": "markdown",
    "adapter_name": "html_to_markdown",
    "query": "How is an answer traced to its sources?",
    "model_name": "all-MiniLM-L6-v2",
    "origin": "example.org",
    "url": "https://example.org/handbook",
    "title": "Handbook",
    "language": "en",
    "queue": "/queue/read.inbound",
    "content_type": "text/markdown",
    "config_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "score": 0.61,
}
"""What stands for a field of that name, wherever it appears."""

_BY_SHAPE: dict[type[shapes.Type], Any] = {
    shapes.BoolType: True,
    shapes.DateTimeType: "2026-01-31T12:00:00Z",
    shapes.UUIDType: "01890a5d-ac96-774b-bcce-b302099a8057",
    shapes.StrType: "text",
    shapes.AnyType: {},
    shapes.NoneType: None,
    shapes.DictType: {},
}


def example_of(kind: Any) -> Any:
    """A JSON value of the type, with every field that has one."""
    return _example(shapes.type_info(kind), name="")


def _example(shape: shapes.Type, name: str) -> Any:
    match shape:
        case shapes.Metadata(type=inner, extra_json_schema=extra):
            given = (extra or {}).get("examples")
            return given[0] if given else _example(inner, name)
        case shapes.StructType():
            return _of_struct(shape)
        case shapes.UnionType(types=types):
            named = [item for item in types if not isinstance(item, (shapes.NoneType, _UNSET))]
            return _example(named[0], name)
        case shapes.ListType(item_type=item):
            return [_example(item, name)]
        case shapes.IntType() | shapes.FloatType():
            return _BY_NAME.get(name, max(1, shape.ge or 0))
        case shapes.EnumType() | shapes.LiteralType():
            return _first_of(shape)
        case _:
            return _BY_NAME.get(name, _BY_SHAPE.get(type(shape)))


def _first_of(shape: shapes.EnumType | shapes.LiteralType) -> Any:
    return next(iter(shape.cls)).value if isinstance(shape, shapes.EnumType) else shape.values[0]


_UNSET = type(shapes.type_info(msgspec.UnsetType))


def _of_struct(shape: shapes.StructType) -> dict[str, Any]:
    return {
        field.encode_name: _example(field.type, field.encode_name)
        for field in shape.fields
        if not (
            isinstance(field.type, shapes.UnionType) and any(isinstance(i, _UNSET) for i in field.type.types)
        )
    }
