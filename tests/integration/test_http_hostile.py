"""Hostile input, operation by operation as the API describes itself: never a 5xx, always a problem document."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from adapters.http.app import create_app
from adapters.http.openapi import openapi_document
from adapters.http.settings import HttpSettings
from tests.http_server import Api, World, serving

pytestmark = pytest.mark.slow

BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "application/json"),
    "null": (b"null", "application/json"),
    "a list": (b"[]", "application/json"),
    "a number": (b"3", "application/json"),
    "cut short": (b'{"a": ', "application/json"),
    "not UTF-8": (b'{"query": "\xff"}', "application/json"),
    "NaN": (b'{"limit": NaN}', "application/json"),
    "too deep": (b"[" * 5000 + b"]" * 5000, "application/json"),
    "NUL": (b'{"name": "\\u0000", "query": "\\u0000", "config_yaml": "\\u0000"}', "application/json"),
    "unknown field": (b'{"no_such_field": 1}', "application/json"),
    "a huge number": (b'{"limit": 1e400}', "application/json"),
    "plain text": (b"{}", "text/plain"),
    "a web form": (b"query=a", "application/x-www-form-urlencoded"),
    "no type": (b"{}", ""),
}
QUERIES = [
    "limit=0", "limit=-1", "limit=1001", "limit=x", "limit=99999999999999999999", "limit=", "offset=-1", "offset=1e3",
    "status=%00", "x=%00", "status=%ff", "config_id=1", "timeout=0", "timeout=3601", "timeout=nan", "version=0",
    "started_after=yesterday", "sort_by=;drop", "is_root=perhaps", "execution_id=1", "debug=2", "tag=" + "a" * 5000,
]  # fmt: skip
NAMES = [
    "nobody",
    "%00",
    "%ff",
    "..",
    "%2e%2e",
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "a" * 3000,
    "%20",
    "''--",
    "%F0%9F%92%A9",
]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    app = create_app(World().bare_application(), settings=HttpSettings())
    for path, methods in openapi_document(app, title="", version="")["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


OPERATIONS = list(operations())
WITH_BODY = [(method, path) for method, path, operation in OPERATIONS if "requestBody" in operation]
MAY_HAVE_NONE = {
    (method, path)
    for method, path, operation in OPERATIONS
    if "requestBody" in operation and not operation["requestBody"]["required"]
}
NEEDS_QUERY = {
    (method, path)
    for method, path, operation in OPERATIONS
    if any(one["in"] == "query" and one["required"] for one in operation.get("parameters", ()))
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def answered(api: Api, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """The status, and the problem document when it is an error; anything else about an error fails the test."""
    url = URL(api.url + path, encoded=True)
    async with api.session.request(method, url, allow_redirects=False, **options) as response:
        if response.status < 400:
            return response.status, None
        assert response.status < 500, await response.text()
        assert response.content_type == "application/problem+json"
        problem = msgspec.json.decode(await response.read())
        assert isinstance(problem["detail"], str)
        assert problem["status"] == response.status
        assert problem["correlation_id"] == response.headers["X-Request-Id"]
        return response.status, problem


def filled(path: str, name: str = "01890a5d-ac96-774b-bcce-b302099a8057") -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + name + rest.partition("}")[2]
    return path


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
async def test_a_hostile_body_is_a_problem_of_the_client(api: Api, method: str, path: str) -> None:
    for name, (body, content_type) in BODIES.items():
        headers = {"Content-Type": content_type} if content_type else {}
        skip = () if content_type else ("Content-Type",)
        if "octet" in path or "storage" in path:
            continue
        status, _ = await answered(
            api, method, filled(path), data=body, headers=headers, skip_auto_headers=skip
        )
        is_optional = (method, path) in MAY_HAVE_NONE
        assert 400 <= status < 500 or is_optional, name
        if content_type != "application/json":
            assert status == 415, name


async def test_a_hostile_query_is_a_problem_of_the_client(api: Api) -> None:
    for method, path, _ in OPERATIONS:
        if method == "GET":
            for query in QUERIES:
                await answered(api, method, f"{filled(path)}?{query}")


def needed(operation: dict[str, Any], *, but: dict[str, Any]) -> str:
    """The other parameters that a query must have."""
    return "".join(
        f"&{one['name']}=1"
        for one in operation["parameters"]
        if one["in"] == "query" and one["required"] and one is not but
    )


async def test_every_bound_of_a_query_parameter_is_kept(api: Api) -> None:
    for method, path, operation in OPERATIONS:
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            if parameter["in"] != "query" or schema.get("type") not in {"integer", "boolean"}:
                continue
            wrong = ["x", ""] + ([str(schema["maximum"] + 1)] if "maximum" in schema else [])
            for value in wrong:
                query = f"{parameter['name']}={value}{needed(operation, but=parameter)}"
                status, problem = await answered(api, method, f"{filled(path)}?{query}")
                assert status == 422, (method, path, parameter["name"], value)
                assert parameter["name"] in {error["path"] for error in problem["errors"]}, (
                    method,
                    path,
                    value,
                )


async def test_a_hostile_name_in_a_path_is_a_problem_of_the_client(api: Api) -> None:
    for method, path, operation in OPERATIONS:
        if "{" in path and "requestBody" not in operation:
            for name in NAMES:
                status, _ = await answered(api, method, filled(path, name))
                allowed = {200, 204, 400, 403, 404, 405} | ({422} if (method, path) in NEEDS_QUERY else set())
                assert status in allowed, (method, path, name)


async def test_a_method_that_is_not_there_is_told_so_with_those_that_are(api: Api) -> None:
    allowed: dict[str, set[str]] = {}
    for method, path, _ in OPERATIONS:
        allowed.setdefault(path, set()).add(method)
    for path, methods in allowed.items():
        if path.endswith("/metadata"):
            continue
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            async with api.session.request(method, api.url + filled(path)) as response:
                assert response.status == 405, (method, path)
                assert methods <= set(response.headers["Allow"].split(", "))
                assert (await response.json(content_type="application/problem+json"))[
                    "error_code"
                ] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v1",
        "/api/v2/configs",
        "/docs/x",
        "/openapi.yaml",
        "//",
        "/%00",
        "/api/v1/configs/1/2/3",
    ],
)
async def test_an_unknown_path_is_a_problem(api: Api, path: str) -> None:
    status, _ = await answered(api, "GET", path)
    assert status in {400, 404} or path == "//"


async def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    body = b'{"config_yaml": "' + b"x" * (10 * 1024 * 1024) + b'"}'
    options: dict[str, Any] = {"data": io.BytesIO(body), "headers": {"Content-Type": "application/json"}}
    status, problem = await answered(api, "POST", "/api/v1/configs/validate", **options)
    assert (status, problem["error_code"]) == (413, "body_too_large")


async def test_a_body_without_a_length_is_limited_too(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * (1024 * 1024)

    options: dict[str, Any] = {"data": endless(), "headers": {"Content-Type": "application/json"}}
    try:
        status, _ = await answered(api, "POST", "/api/v1/configs/validate", **options)
    except aiohttp.ClientError:
        return  # the server answered and closed while we were still sending
    assert status == 413


async def test_raw_bytes_that_are_no_request_do_not_stop_the_server(api: Api) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    for junk in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"POST /api/v1/configs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(junk)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert (await api.ask("GET", "/api/v1/system/live"))[0] == 200
