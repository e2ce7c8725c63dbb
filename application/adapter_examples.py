"""Writes a small pipeline that shows one pipeline adapter at work, with every field of its config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from application.ports.pipeline_adapter import DescribedAdapter
from domain.json import Json
from domain.templates.rendering import as_yaml

_PLAIN = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NOT_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_BY_TYPE: Mapping[str, Json] = {"string": "text", "boolean": False, "array": [], "object": {}, "null": None}


def example_pipeline(adapter: DescribedAdapter) -> str:
    """A whole pipeline config as YAML: one route, and a second one for what the pipeline adapter emits.

    Fields with a default have it, required ones something of their type unless the adapter's example says what.
    """
    return "\n".join(_lines(adapter)) + "\n"


def _lines(adapter: DescribedAdapter) -> Iterator[str]:
    example = adapter.example
    yield 'version: "1.0"'
    yield ""
    yield "routes:"
    yield "  example:"
    yield f"    name: {as_yaml(f'Example of {adapter.type}')}"
    yield f"    description: {as_yaml(adapter.description or adapter.type)}"
    yield "    inbound:"
    yield "      queue: /queue/example.inbound"
    yield "    adapters:"
    yield from _steps(example.before)
    yield f"      - type: {_word(adapter.type)}"
    yield from _config(adapter)
    yield from _steps(example.after)
    if example.then:
        yield "    outbound: /queue/example.emitted"
        yield ""
        yield "  emitted:"
        yield "    inbound:"
        yield "      queue: /queue/example.emitted"
        yield "    adapters:"
        yield from _steps(example.then)
    yield ""
    yield "init_message:"
    yield "  route: example"
    yield from _mapping("  payload:", example.payload, "    ")


def _steps(types: Sequence[str]) -> Iterator[str]:
    return (f"      - type: {_word(name)}" for name in types)


def _config(adapter: DescribedAdapter) -> Iterator[str]:
    """A field without a value is told in a comment: null may be no value that it takes."""
    lines = [*_fields(adapter)]
    if lines:
        yield "        config:"
        yield from lines


def _fields(adapter: DescribedAdapter) -> Iterator[str]:
    schema = adapter.config_schema
    required = schema.get("required")
    needed = required if isinstance(required, Sequence) else ()
    properties = schema.get("properties")
    fields: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    for name, about in fields.items():
        value = adapter.example.config.get(name, about.get("default"))
        if value is None and name in needed:
            value = _sample(about, schema)
        mark = "# " if value is None else ""
        yield f"          {mark}{_word(name)}: {as_yaml(value)}"


def _mapping(head: str, values: Mapping[str, Json], indent: str) -> Iterator[str]:
    yield head if values else f"{head} {{}}"
    yield from (f"{indent}{_word(name)}: {as_yaml(value)}" for name, value in values.items())


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text not in _NOT_TEXT else as_yaml(text)


def _sample(about: Mapping[str, Any], schema: Mapping[str, Any]) -> Json:
    """Something that a JSON Schema allows, as far as the common keywords tell."""
    if reference := about.get("$ref"):
        about = schema.get("$defs", {}).get(str(reference).rpartition("/")[2], {})
    for keyword in ("examples", "enum", "anyOf"):
        if choices := about.get(keyword):
            first: Any = choices[0]
            return _sample(first, schema) if keyword == "anyOf" else cast("Json", first)
    kind = about.get("type")
    if kind in {"integer", "number"}:
        return cast("Json", max(1, about.get("minimum", 1), about.get("exclusiveMinimum", 0) + 1))
    if kind == "object":
        needed = about.get("required", ())
        return {name: _sample(about["properties"][name], schema) for name in needed}
    if kind == "array" and about.get("minItems"):
        return [_sample(about.get("items") or {}, schema)] * about["minItems"]
    return _BY_TYPE.get(str(kind), "text")
