"""Stored objects over HTTP: lists, whole objects and parts of them, uploads."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from adapters.http.settings import HttpSettings
from tests.http_server import Api, serving

OBJECTS = "/api/v1/storage/objects"
TEXT = b"0123456789"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(HttpSettings(max_upload_bytes=3_000_000)) as api:
        for key in ("a/one.md", "a/two.json", "a/b/three.md", "c.md"):
            await api.world.storage.write(
                key, TEXT, content_type="text/markdown", metadata={"stage": "markdown", "title": key}
            )
        yield api


async def listed(api: Api, query: str) -> Any:
    status, page = await api.ask("GET", f"{OBJECTS}?{query}")
    assert status == 200, page
    return page


async def test_objects_are_listed_by_key_with_their_sidecars(api: Api) -> None:
    page = await listed(api, "prefix=a/")
    assert [item["key"] for item in page["objects"]] == ["a/b/three.md", "a/one.md", "a/two.json"]
    assert (page["total"], page["has_more"], page["limit"], page["offset"]) == (3, False, 100, 0)
    item = page["objects"][1]
    assert (item["size"], item["content_type"], item["metadata"]["title"]) == (
        10,
        "text/markdown",
        "a/one.md",
    )
    assert "metadata" not in (await listed(api, "include_metadata=false"))["objects"][0]


async def test_a_delimiter_lists_as_folders_do(api: Api) -> None:
    page = await listed(api, "delimiter=/")
    assert (page["common_prefixes"], [item["key"] for item in page["objects"]]) == (["a/"], ["c.md"])


async def test_lists_are_narrowed_by_ending_and_sidecar(api: Api) -> None:
    assert [item["key"] for item in (await listed(api, "extension=.json,.txt"))["objects"]] == ["a/two.json"]
    assert (await listed(api, "stage=other"))["total"] == 0


async def test_pages_follow_each_other_by_offset_and_by_cursor(api: Api) -> None:
    everything = [item["key"] for item in (await listed(api, ""))["objects"]]
    first = await listed(api, "limit=2")
    assert first["has_more"]
    for query in ("limit=2&offset=2", f"limit=2&cursor={first['next_cursor']}"):
        second = await listed(api, query)
        assert [item["key"] for item in first["objects"] + second["objects"]] == everything
        assert (second["has_more"], second["next_cursor"]) == (False, None)
    status, problem = await api.ask("GET", f"{OBJECTS}?cursor=%F0")
    assert (status, problem["error_code"]) == (400, "invalid_cursor")


async def test_the_executions_in_a_page_are_told_when_asked_for(api: Api) -> None:
    execution_id = await api.execution("echo", tag="mine")
    await api.ended(execution_id)
    for known in (execution_id, "01890a5d-ac96-774b-bcce-b302099a8057"):
        await api.world.storage.write(f"executions/{known}/first/s/1.md", TEXT)
    page = await listed(api, "prefix=executions/&delimiter=/&include_execution_info=true")
    assert {item["execution_id"]: (item["status"], item["tag"]) for item in page["execution_prefixes"]} == {
        execution_id: ("completed", "mine"),
        "01890a5d-ac96-774b-bcce-b302099a8057": (None, None),
    }


async def test_a_whole_object_comes_with_its_type_and_tag(api: Api) -> None:
    async with api.session.get(f"{api.url}{OBJECTS}/a/one.md") as response:
        assert (response.status, await response.read()) == (200, TEXT)
        assert response.headers["Content-Type"] == "text/markdown"
        assert response.headers["Content-Length"] == "10"
        assert response.headers["ETag"] == f'"{hashlib.sha256(TEXT).hexdigest()}"'
        assert "sandbox" in response.headers["Content-Security-Policy"]
        unchanged = {"If-None-Match": response.headers["ETag"]}
    async with api.session.get(f"{api.url}{OBJECTS}/a/one.md", headers=unchanged) as response:
        assert (response.status, await response.read()) == (304, b"")
    async with api.session.head(f"{api.url}{OBJECTS}/a/one.md") as response:
        assert (response.status, response.headers["Content-Length"]) == (200, "10")


@pytest.mark.parametrize(
    ("header", "status", "body", "place"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=1-2,4-5", 200, TEXT, None),
        ("bytes=x", 200, TEXT, None),
    ],
)
async def test_a_range_gives_a_part(
    api: Api, header: str, status: int, body: bytes, place: str | None
) -> None:
    async with api.session.get(f"{api.url}{OBJECTS}/c.md", headers={"Range": header}) as response:
        assert (response.status, await response.read()) == (status, body)
        assert response.headers.get("Content-Range") == place


async def test_a_range_outside_the_object_tells_its_size(api: Api) -> None:
    async with api.session.get(f"{api.url}{OBJECTS}/c.md", headers={"Range": "bytes=10-"}) as response:
        problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["error_code"]) == (416, "range_not_satisfiable")
        assert response.headers["Content-Range"] == "bytes */10"


async def test_a_range_of_another_version_gives_the_whole(api: Api) -> None:
    headers = {"Range": "bytes=0-1", "If-Range": '"other"'}
    async with api.session.get(f"{api.url}{OBJECTS}/c.md", headers=headers) as response:
        assert (response.status, await response.read()) == (200, TEXT)


async def test_metadata_tells_of_an_object_what_its_sidecar_knows(api: Api) -> None:
    status, told = await api.ask("GET", f"{OBJECTS}/a/one.md/metadata")
    assert status == 200
    assert (told["key"], told["content_length"], told["stage"], told["title"]) == (
        "a/one.md",
        10,
        "markdown",
        "a/one.md",
    )
    documented = {
        "content_type",
        "checksum",
        "created_at",
        "modified_at",
        "correlation_id",
        "route_id",
        "document_id",
    }
    assert documented <= told.keys()


async def test_an_object_named_metadata_is_reached_with_its_slash_escaped(api: Api) -> None:
    await api.world.storage.write("a/metadata", b"own")
    async with api.session.get(URL(f"{api.url}{OBJECTS}/a%2Fmetadata", encoded=True)) as response:
        assert await response.read() == b"own"


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    for path in (f"{OBJECTS}/nothing", f"{OBJECTS}/nothing/metadata"):
        status, problem = await api.ask("GET", path)
        assert (status, problem["error_code"]) == (404, "object_not_found")


@pytest.mark.parametrize(
    "key", ["%2e%2e/x", "a//b", "a%5Cb", "a%01", "x.meta.json", "e%CC%81", "a" * 300, "%ff"]
)
async def test_a_key_that_is_not_allowed_is_a_bad_request(api: Api, key: str) -> None:
    async with api.session.get(URL(f"{api.url}{OBJECTS}/{key}", encoded=True)) as response:
        assert response.status == 400


async def test_an_upload_is_stored_whole_and_can_be_deleted(api: Api) -> None:
    path = f"{OBJECTS}/uploads/é/notes.md"
    content = b"x" * 300_000

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 64_000):
            yield content[start : start + 64_000]

    status, stored = await api.ask("PUT", path, data=pieces(), headers={"Content-Type": "text/markdown"})
    assert (status, stored["key"], stored["content_length"]) == (201, "uploads/é/notes.md", 300_000)
    assert stored["checksum"] == hashlib.sha256(content).hexdigest()
    async with api.session.get(api.url + path) as response:
        assert (response.headers["Content-Type"], await response.read()) == ("text/markdown", content)
    assert await api.ask("DELETE", path) == (204, None)
    assert (await api.ask("DELETE", path))[0] == 404


async def test_an_empty_upload_is_an_empty_object(api: Api) -> None:
    status, stored = await api.ask("PUT", f"{OBJECTS}/uploads/empty", data=b"")
    assert (status, stored["content_length"]) == (201, 0)
    async with api.session.get(f"{api.url}{OBJECTS}/uploads/empty") as response:
        assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_what_executions_kept_is_not_overwritten(api: Api, method: str) -> None:
    status, problem = await api.ask(method, f"{OBJECTS}/a/one.md", data=b"x" if method == "PUT" else None)
    assert (status, problem["error_code"]) == (403, "storage_key_not_writable")
    assert await api.world.storage.read("a/one.md") == TEXT


async def test_an_upload_over_the_limit_is_refused_whether_announced_or_not(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100_000

    for content in (bytes(900_000) * 4, endless()):
        options: dict[str, Any] = {"data": content}
        if isinstance(content, bytes):
            options = {"headers": {"Content-Length": str(len(content))}, "data": endless()}
        try:
            status, problem = await api.ask("PUT", f"{OBJECTS}/uploads/big", **options)
        except OSError:
            continue  # the server answered and closed while we were still sending
        assert (status, problem["error_code"]) == (413, "body_too_large")
    assert (await api.ask("GET", f"{OBJECTS}/uploads/big/metadata"))[0] == 404


async def test_an_upload_that_breaks_off_stores_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"PUT {OBJECTS}/uploads/half HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + b"x" * 500)
    await writer.drain()
    writer.close()
    await reader.read()
    await asyncio.sleep(0.1)
    assert (await api.ask("GET", f"{OBJECTS}/uploads/half/metadata"))[0] == 404
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_reader_that_goes_away_disturbs_nobody(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    await api.world.storage.write("large", bytes(20_000_000))
    response = await api.session.get(f"{api.url}{OBJECTS}/large")
    await response.content.readany()
    response.close()
    await asyncio.sleep(0.1)
    assert (await api.ask("GET", "/api/v1/system/live"))[0] == 200
    assert [record.message for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []
