"""Request bodies, hostile ones too: `adapters/http/bodies.py`."""

from datetime import datetime
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from adapters.http.bodies import MAX_DEPTH, MAX_VALUES, body_errors, converted, parsed, require_json
from adapters.http.errors import MalformedRequest, MediaTypeNotSupported, RequestNotValid


class Part(Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1)]


class Whole(Struct, forbid_unknown_fields=True):
    name: str
    parts: list[Part]
    part: Part | None = None
    free: dict[str, Any] | None = None


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'APPLICATION/JSON;charset="UTF-8"',
        "application/merge-patch+json",
    ],
)
def test_json_in_utf8_is_taken(content_type: str) -> None:
    require_json(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "json",
        "text/json+json",
    ],
)
def test_any_other_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(MediaTypeNotSupported):
        require_json(content_type)


def test_compressed_bodies_are_refused() -> None:
    with pytest.raises(MediaTypeNotSupported):
        require_json("application/json", "gzip")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[NaN]",
        b"[Infinity]",
        b"[1e999]",
        b'"\xff"',
        b'"\\ud800"',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" + b"0," * MAX_VALUES + b"0]",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_json_or_without_bounds_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parsed(body)


@pytest.mark.parametrize(
    "body", [b'{"a": ["\\u0000"]}', b'{"\\u0000": 1}', b"[1" + b"0" * 40 + b"]", b"-9223372036854775809"]
)
def test_values_that_cannot_be_kept_are_not_valid(body: bytes) -> None:
    with pytest.raises(RequestNotValid):
        parsed(body)


def test_ordinary_json_comes_through_unchanged() -> None:
    assert parsed(b'{"a": [1, 2.5, true, null, "\xc3\xa6\\\\u0000"]}') == {
        "a": [1, 2.5, True, None, "æ\\u0000"]
    }


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = body_errors(Whole, {"parts": [{"limit": 0}], "part": {"limt": 1}, "free": [], "more": 1})
    assert {error.path for error in found} == {
        "name",
        "parts[0].limit",
        "part.limit",
        "part.limt",
        "free",
        "more",
    }


def test_an_unknown_field_deep_in_a_list_is_named() -> None:
    (error,) = body_errors(Whole, {"name": "a", "parts": [{"limit": 1, "x": 2}]})
    assert (error.path, error.message) == ("parts[0].x", "there is no such field")


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_body_of_another_kind_is_one_error(value: Any) -> None:
    (error,) = body_errors(Whole, value)
    assert error.path == ""


class Plain(Struct):
    is_on: bool = False
    count: int = 0
    at: datetime | None = None


@pytest.mark.parametrize("value", [{"is_on": 0}, {"is_on": "true"}, {"count": "1"}, {"at": 0}, {"at": True}])
def test_values_have_the_types_of_json(value: dict[str, Any]) -> None:
    """No number is a truth or a moment, and no text is a number."""
    with pytest.raises(RequestNotValid) as caught:
        converted(Plain, value)
    assert [error.path for error in caught.value.errors] == list(value)
