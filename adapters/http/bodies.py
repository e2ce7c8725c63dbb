"""Reads request bodies: JSON only, however hostile, with everything that is wrong said at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request
from msgspec.inspect import StructType, type_info

from adapters.http.errors import FieldError, MalformedRequest, MediaTypeNotSupported, RequestNotValid

MAX_DEPTH = 64
MAX_VALUES = 200_000
_INTEGERS = range(-(2**63), 2**64)
_PLACE = re.compile(r" - at `\$(?P<path>.*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$")


class JsonRequest(Request[Any, Any, Any]):
    """A request whose JSON body is checked before it becomes values.

    The media type must say JSON: what a web form of another site can send without asking is refused so.
    """

    async def json(self) -> Any:
        """The body as its operation wants it; raises MalformedRequest, MediaTypeNotSupported, RequestNotValid."""
        if "json_body" not in self.state:
            require_json(self.headers.get("content-type", ""), self.headers.get("content-encoding", ""))
            self.state["json_body"] = converted(self._kind, parsed(await self.body()))
        return self.state["json_body"]

    @property
    def _kind(self) -> Any:
        """What the operation's handler takes."""
        field = self.route_handler.parsed_data_field
        return Any if field is None else field.annotation


def converted(kind: Any, value: Any) -> Any:
    """A JSON value as a `kind`, by JSON's own types: no number is a truth, no text a number. Raises RequestNotValid."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise RequestNotValid(body_errors(kind, value)) from error


def require_json(content_type: str, content_encoding: str = "") -> None:
    """Raise MediaTypeNotSupported unless the headers say JSON in UTF-8, not compressed."""
    essence, _, parameters = content_type.partition(";")
    essence = essence.strip().lower()
    is_json = essence == "application/json" or (
        essence.startswith("application/") and essence.endswith("+json")
    )
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters, re.IGNORECASE)
    if not is_json or (charset and charset[1].lower() not in {"utf-8", "utf8"}):
        raise MediaTypeNotSupported
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise MediaTypeNotSupported("compressed request bodies are not supported")


def parsed(body: bytes) -> Any:
    """The value of a JSON text that can be kept and given back; raises MalformedRequest, RequestNotValid."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError as error:
        raise MalformedRequest("the body is nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"the body is not JSON: {error}") from error
    _require_bounded(value)
    return value


def _require_bounded(value: Any) -> None:
    """Refuse what JSON allows and a database or another JSON writer does not."""
    values = 0
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        values += len(level)
        if values > MAX_VALUES:
            raise MalformedRequest(f"the body has more than {MAX_VALUES} values")
        for item in level:
            _require_storable(item)
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise MalformedRequest(f"the body is nested more than {MAX_DEPTH} levels deep")


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else ()


def _require_storable(value: Any) -> None:
    if isinstance(value, str) and "\0" in value:
        raise RequestNotValid(
            [FieldError(location="body", path="", message="texts must not contain NUL (U+0000)")]
        )
    if isinstance(value, int) and value not in _INTEGERS:
        raise RequestNotValid([FieldError(location="body", path="", message="integers must fit in 64 bits")])


def body_errors(kind: Any, value: Any, path: str = "") -> Sequence[FieldError]:
    """Everything about a value that keeps it from becoming a `kind`, field by field where that is a Struct."""
    info = type_info(kind)
    if isinstance(info, msgspec.inspect.UnionType):
        structs = [item for item in info.types if isinstance(item, StructType)]
        info = structs[0] if len(structs) == 1 and isinstance(value, dict) else info
    if isinstance(info, StructType) and isinstance(value, dict):
        return tuple(_struct_errors(info.cls, value, path))
    return tuple(_one_error(kind, value, path))


def _struct_errors(kind: type[msgspec.Struct], value: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in known.items():
        place = f"{path}.{name}" if path else name
        if name in value:
            yield from body_errors(field.type, value[name], place)
        elif field.required:
            yield FieldError(location="body", path=place, message="this field is required")
    for name in value.keys() - known.keys():
        yield FieldError(
            location="body", path=f"{path}.{name}" if path else name, message="there is no such field"
        )


def _one_error(kind: Any, value: Any, path: str) -> Iterator[FieldError]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _PLACE.search(text)
        message = _PLACE.sub("", text)
        inner = place["path"] if place else ""
        if unknown := _UNKNOWN.match(message):
            inner, message = f"{inner}.{unknown['name']}", "there is no such field"
        yield FieldError(location="body", path=(path + inner).lstrip("."), message=message)
