"""The API's description, the page that shows it, and the root."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.http_server import Api, serving


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.fixture
async def described(api: Api) -> dict[str, Any]:
    status, document = await api.ask("GET", "/openapi.json")
    assert status == 200
    return dict(document)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


async def test_every_operation_has_an_id_of_its_own_a_summary_and_a_description(
    described: dict[str, Any],
) -> None:
    assert described["openapi"].startswith("3.1")
    found = [(name, operation) for name, operation in operations(described)]
    assert [
        name for name, item in found if not (item["operationId"] and item["summary"] and item["description"])
    ] == []
    ids = [operation["operationId"] for _, operation in found]
    assert len(ids) == len(set(ids))


async def test_every_operation_shows_examples_and_its_errors(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        assert {"500", "503"} <= operation["responses"].keys(), name
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                assert ("example" in content) != ("examples" in content), (name, status)
                assert (media_type == "application/problem+json") == (status >= "400"), (name, status)
        body = operation.get("requestBody")
        if body and "application/json" in body["content"]:
            assert body["content"]["application/json"]["example"] is not None, name


async def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert {name.rpartition("/")[2] for name in references(described)} - schemas.keys() == set()


async def test_every_path_parameter_is_described(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        inside = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"}
        assert set(re.findall(r"{(\w+)}", name)) == inside, name


async def test_example_bodies_are_taken_or_refused_for_a_reason_of_substance(
    api: Api, described: dict[str, Any]
) -> None:
    """An example that its own operation finds malformed or not valid would mislead."""
    for name, operation in operations(described):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            method, _, path = name.partition(" ")
            path = re.sub(r"{\w+}", "01890a5d-ac96-774b-bcce-b302099a8057", path)
            async with api.session.request(method, api.url + path, json=body["example"]) as response:
                assert response.status not in {415, 422, 500}, (name, await response.text())


async def test_the_page_needs_nothing_from_elsewhere(api: Api) -> None:
    async with api.session.get(api.url + "/docs") as response:
        page = await response.text()
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert re.findall(r"(?:src|href)=\"(?!/openapi\.json|data:)[^\"]*\"", page) == []
    assert "//" not in page.replace("https://example", "").split("<script>")[0]


async def test_the_root_leads_a_browser_to_the_page_and_a_program_to_the_description(api: Api) -> None:
    browser: dict[str, Any] = {"headers": {"Accept": "text/html,*/*"}, "allow_redirects": False}
    async with api.session.get(api.url + "/", **browser) as response:
        assert (response.status, response.headers["Location"]) == (307, "/docs")
    status, root = await api.ask("GET", "/")
    assert status == 200
    for name in ("openapi", "health"):
        assert (await api.ask("GET", root[name]))[0] == 200


async def test_the_server_tells_its_version(api: Api) -> None:
    _, info = await api.ask("GET", "/api/v1/system/info")
    assert info == {
        "name": "factflow-server", "version": "0.0.0", "mode": "server", "api_base": "/api/v1",
        "openapi": "/openapi.json", "docs": "/docs",
    }  # fmt: skip
