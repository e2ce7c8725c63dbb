"""Archives of what executions kept, and the documents in the index, over HTTP."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from adapters.memory.documents import MemoryDocuments
from adapters.memory.segment_index import MemorySegmentIndex
from domain.document import Document, EmbeddedSegment, Segment, segment_id
from tests.http_server import Api, serving
from tests.integration.test_cli_with_api import factflow

CONTENT = "/api/v1/content"
ARCHIVE = f"{CONTENT}/archive"
DOCUMENTS = f"{CONTENT}/documents"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.fixture
async def execution_id(api: Api) -> str:
    """An execution that kept three objects."""
    execution_id = await api.execution("echo", tag="mine")
    await api.ended(execution_id)
    for name in ("read/markdown/1.md", "read/markdown/2.md", "cut/segments/3.json"):
        await api.world.storage.write(f"executions/{execution_id}/{name}", name.encode() * 100)
    return execution_id


async def prepared(api: Api, **body: Any) -> Any:
    """An archive when it is ready."""
    status, archive = await api.ask("POST", f"{ARCHIVE}/prepare", json=body)
    assert status == 202, archive
    return await ended(api, archive["job_id"])


async def ended(api: Api, job_id: str) -> Any:
    async with asyncio.timeout(10):
        while True:
            status, archive = await api.ask("GET", f"{ARCHIVE}/{job_id}/status")
            if status != 200 or archive["status"] != "preparing":
                assert status == 200, archive
                return archive
            await asyncio.sleep(0.01)


async def names(api: Api, archive: Any) -> list[str]:
    async with api.session.get(f"{api.url}{ARCHIVE}/{archive['job_id']}/download") as response:
        assert response.status == 200
        assert response.content_type == "application/zip"
        assert archive["filename"] in response.headers["content-disposition"]
        content = await response.read()
    assert len(content) == archive["file_size"]
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        return [name.partition("/")[2].partition("/")[2] for name in file.namelist()]


async def test_an_archive_is_prepared_looked_after_and_downloaded(api: Api, execution_id: str) -> None:
    async with api.session.post(
        f"{api.url}{ARCHIVE}/prepare", json={"execution_id": execution_id}
    ) as response:
        archive = await response.json()
        assert response.status == 202
        assert response.headers["location"] == f"{ARCHIVE}/{archive['job_id']}/status"
    assert (archive["total"], archive["filename"], archive["status"]) == (
        3,
        "execution-mine.zip",
        "preparing",
    )
    done = await ended(api, archive["job_id"])
    assert (done["status"], done["processed"], done["progress"], done["error"]) == ("ready", 3, 1.0, None)
    assert len(await names(api, done)) == 6


async def test_both_documented_requests_select(api: Api, execution_id: str) -> None:
    one = await prepared(
        api, domain="storage", execution_id="mine", stage="markdown", path="read/", extension=".md"
    )
    assert await names(api, one) == [
        "read/markdown/1.md",
        "read/markdown/1.md.meta.json",
        "read/markdown/2.md",
        "read/markdown/2.md.meta.json",
    ]
    other = await prepared(
        api, execution_id=execution_id, routes=["cut"], stages=["cut/segments"], include_metadata=False
    )
    assert await names(api, other) == ["cut/segments/3.json"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"execution_id": "nobody"}, 404, "execution_not_found"),
        ({"execution_id": "mine", "stage": "other"}, 400, "nothing_selected"),
        ({"execution_id": "mine", "path": "\x00"}, 422, "validation_failed"),
        ({}, 422, "validation_failed"),
        ({"execution_id": "mine", "domain": "lineage"}, 422, "validation_failed"),
        ({"execution_id": "mine", "routes": [""]}, 422, "validation_failed"),
        ({"execution_id": "mine", "stages": "markdown"}, 422, "validation_failed"),
    ],
)
@pytest.mark.usefixtures("execution_id")
async def test_what_cannot_be_packed_is_refused(api: Api, body: Any, status: int, code: str) -> None:
    answer, problem = await api.ask("POST", f"{ARCHIVE}/prepare", json=body)
    assert (answer, problem["error_code"]) == (status, code)


async def test_a_download_that_broke_off_goes_on(api: Api, execution_id: str) -> None:
    archive = await prepared(api, execution_id=execution_id)
    url = f"{api.url}{ARCHIVE}/{archive['job_id']}/download"
    async with api.session.get(url) as response:
        whole, tag = await response.read(), response.headers["etag"]
    headers = {"Range": "bytes=10-", "If-Range": tag}
    async with api.session.get(url, headers=headers) as response:
        assert response.status == 206
        assert whole[:10] + await response.read() == whole
    async with api.session.get(url, headers={"If-None-Match": tag}) as response:
        assert response.status == 304
    async with api.session.get(url, headers={"Range": "bytes=999999-"}) as response:
        assert response.status == 416


async def test_an_archive_is_cancelled_and_deleted(api: Api, execution_id: str) -> None:
    archive = await prepared(api, execution_id=execution_id)
    job = f"{ARCHIVE}/{archive['job_id']}"
    assert (await api.ask("DELETE", job))[0] == 204
    assert [stored.key async for stored in api.world.storage.list("archives/")] == []
    for method, path in (("GET", f"{job}/status"), ("GET", f"{job}/download"), ("DELETE", job)):
        status, problem = await api.ask(method, path)
        assert (status, problem["error_code"]) == (404, "archive_not_found")


async def test_one_that_is_being_prepared_becomes_cancelled(api: Api, execution_id: str) -> None:
    hold, reading = asyncio.Event(), asyncio.Event()
    stream = api.world.storage.stream

    async def held(key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        reading.set()
        await hold.wait()
        async for chunk in stream(key, start=start, end=end):
            yield chunk

    api.world.storage.stream = held  # type: ignore[method-assign]
    _, archive = await api.ask("POST", f"{ARCHIVE}/prepare", json={"execution_id": execution_id})
    job = f"{ARCHIVE}/{archive['job_id']}"
    await reading.wait()
    status, problem = await api.ask("GET", f"{job}/download")
    assert (status, problem["error_code"]) == (409, "archive_not_ready")
    assert (await api.ask("DELETE", job))[0] == 204
    hold.set()
    assert (await ended(api, archive["job_id"]))["status"] == "cancelled"
    assert (await api.ask("DELETE", job))[0] == 204
    assert (await api.ask("GET", f"{job}/status"))[0] == 404


async def test_what_is_kept_is_counted(api: Api, execution_id: str) -> None:
    status, counted = await api.ask("GET", f"{CONTENT}/count", params={"execution_id": "mine"})
    assert (status, counted["count"], counted["is_exact"]) == (200, 3, True)
    assert (counted["execution_id"], counted["total_bytes"]) == (execution_id, 5500)
    query = {"execution_id": execution_id, "stage": "markdown", "route": "read", "extension": "md"}
    _, counted = await api.ask("GET", f"{CONTENT}/count", params=query)
    assert counted["count"] == 2
    status, problem = await api.ask("GET", f"{CONTENT}/count", params={"execution_id": "nobody"})
    assert (status, problem["error_code"]) == (404, "execution_not_found")


async def indexed(api: Api, document_id: str, *texts: str) -> None:
    """A document whose text is stored and whose segments are indexed."""
    key = f"executions/{uuid4()}/read/markdown/{document_id}.md"
    await api.world.storage.write(key, "".join(texts).encode(), content_type="text/markdown")
    document = Document(
        document_id=document_id,
        origin="shelf",
        title=document_id.title(),
        url=f"file:///{document_id}",
        fingerprint="f",
        version=1,
        object_key=key,
    )
    opened = await MemoryDocuments(api.world.corpus).begin(document, expected=len(texts))
    vectors = await api.world.model.embed(texts)
    await MemorySegmentIndex(api.world.corpus).index(
        [
            EmbeddedSegment(
                id=segment_id(document_id, text, 0),
                document_id=document_id,
                version=opened.version,
                segment=Segment(ordinal=number, text=text, start=0, end=len(text), heading_path=("A",)),
                model_name=api.world.model.model_name,
                vector=vectors[number],
            )
            for number, text in enumerate(texts)
        ]
    )


async def test_documents_are_listed_and_read_with_text_and_segments(api: Api) -> None:
    for name in ("ants", "bees"):
        await indexed(api, name, f"{name} one ", f"{name} two")
    await api.world.index("whales", "large")
    _, page = await api.ask("GET", DOCUMENTS, params={"origin": "shelf", "limit": 1})
    assert ([one["document_id"] for one in page["documents"]], page["total"], page["has_more"]) == (
        ["ants"],
        2,
        True,
    )
    given = {"origin": "shelf", "limit": 1, "cursor": page["next_cursor"]}
    _, page = await api.ask("GET", DOCUMENTS, params=given)
    assert [one["document_id"] for one in page["documents"]] == ["bees"]
    assert (page["has_more"], page["next_cursor"], page["is_total_exact"]) == (False, None, True)
    status, problem = await api.ask("GET", DOCUMENTS, params={"cursor": "nonsense"})
    assert (status, problem["error_code"]) == (400, "invalid_cursor")
    _, document = await api.ask("GET", f"{DOCUMENTS}/bees")
    assert (document["title"], document["version"], document["segments"]) == ("Bees", 1, 2)
    async with api.session.get(f"{api.url}{DOCUMENTS}/bees/text") as response:
        assert (response.content_type, await response.text()) == ("text/markdown", "bees one bees two")
    _, page = await api.ask("GET", f"{DOCUMENTS}/bees/segments", params={"offset": 1})
    assert ([one["text"] for one in page["segments"]], page["total"]) == (["bees two"], 2)
    assert (page["segments"][0]["ordinal"], page["segments"][0]["heading_path"]) == (1, ["A"])


async def test_a_deleted_document_is_not_found_any_more(api: Api) -> None:
    await indexed(api, "ants", "ants march")
    query = {"query": "ants march", "similarity_threshold": 0}
    _, before = await api.ask("POST", "/api/v1/search/keyword", json={"query": "ants"})
    assert before["results"]
    assert (await api.ask("DELETE", f"{DOCUMENTS}/ants"))[0] == 204
    for path in ("keyword", "hybrid"):
        _, after = await api.ask(
            "POST", f"/api/v1/search/{path}", json=query if path == "hybrid" else {"query": "ants"}
        )
        assert after["results"] == []
    for method, path in (("GET", ""), ("GET", "/text"), ("GET", "/segments"), ("DELETE", "")):
        status, problem = await api.ask(method, f"{DOCUMENTS}/ants{path}")
        assert (status, problem["error_code"]) == (404, "document_not_found")


async def test_a_text_that_is_not_kept_is_told(api: Api) -> None:
    await api.world.index("whales", "large")
    await indexed(api, "ants", "ants march")
    _, document = await api.ask("GET", f"{DOCUMENTS}/ants")
    await api.world.storage.delete(document["object_key"])
    for name in ("whales", "ants"):
        status, problem = await api.ask("GET", f"{DOCUMENTS}/{name}/text")
        assert (status, problem["error_code"]) == (404, "document_text_not_kept")


async def test_what_is_stored_is_told_by_stage_and_by_prefix(api: Api, execution_id: str) -> None:
    _, answer = await api.ask("GET", "/api/v1/storage/executions/mine/stages")
    assert [(one["route_id"], one["stage"], one["objects"]) for one in answer["stages"]] == [
        ("cut", "segments", 1),
        ("read", "markdown", 2),
    ]
    assert answer["stages"][1]["prefix"] == f"executions/{execution_id}/read/markdown/"
    await api.world.storage.write("uploads/a/1.md", b"12345")
    await api.world.storage.write("uploads/2.md", b"1")
    _, answer = await api.ask("GET", "/api/v1/storage/usage", params={"prefix": "uploads/"})
    assert (answer["objects"], answer["total_bytes"], answer["is_exact"]) == (2, 6, True)
    assert [(one["prefix"], one["objects"]) for one in answer["groups"]] == [
        ("uploads/", 1),
        ("uploads/a/", 1),
    ]
    _, answer = await api.ask("GET", "/api/v1/storage/usage")
    assert [one["prefix"] for one in answer["groups"]] == ["executions/", "uploads/"]
    assert (await api.ask("GET", "/api/v1/storage/executions/nobody/stages"))[0] == 404
    code, out, _ = await factflow(api, "storage", "stages", "mine")
    assert (code, "markdown" in out) == (0, True)
    code, out, _ = await factflow(api, "storage", "usage", "uploads/")
    assert (code, "uploads/a/" in out) == (0, True)
