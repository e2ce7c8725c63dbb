"""Compression, 304, pages of other origins, limits and patience, over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from backports import zstd

from adapters.http.compression import encoding_for
from adapters.http.settings import HttpSettings
from application.search_indexes import Indexes
from domain.retrieval.vector_indexes import IndexBuildUnderway
from tests.http_server import Api, raw, serving

HERE, THERE = "https://app.example.org", "https://evil.example.org"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"), ("zstd, gzip", "zstd"), ("gzip;q=1, zstd;q=0.5", "gzip"), ("*", "zstd"), ("", None),
        ("br", None), ("gzip;q=0", None), ("zstd;q=0, *", "gzip"), ("identity, gzip;q=0.5", None),
        ("GZIP ; q = 0.7", "gzip"), ("gzip;q=nonsense", None), ("identity;q=0, gzip", "gzip"),
    ],
)  # fmt: skip
def test_the_client_says_how_an_answer_may_be_encoded(accepted: str, encoding: str | None) -> None:
    assert encoding_for(accepted) == encoding


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_long_answer_is_sent_smaller(api: Api, encoding: str) -> None:
    plain, whole = await raw(api, "/openapi.json", **{"Accept-Encoding": "identity"})
    answer, body = await raw(api, "/openapi.json", **{"Accept-Encoding": encoding})
    assert "content-encoding" not in plain.headers
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == (encoding, "Accept-Encoding")
    assert len(body) < len(whole) / 4
    found = gzip.decompress(body) if encoding == "gzip" else zstd.decompress(body)
    assert found == whole


async def test_short_answers_secrets_ranges_and_heads_are_sent_as_they_are(api: Api) -> None:
    asked = {"Accept-Encoding": "gzip"}
    answer, _ = await raw(api, "/api/v1/system/live", **asked)
    assert "content-encoding" not in answer.headers
    body = {"name": "x" * 200, "scopes": [f"{tag}:read" for tag in ("configs", "chat", "search")] * 30}
    async with api.session.post(api.url + "/api/v1/keys", json=body, headers=asked) as made:
        assert made.status == 201
        assert "content-encoding" not in made.headers
    async with api.session.head(api.url + "/openapi.json", headers=asked) as head:
        assert (head.status, "content-encoding" in head.headers) == (200, False)
    path = "/api/v1/storage/objects/uploads/b.txt"
    async with api.session.put(api.url + path, data=b"word " * 1000) as put:
        assert put.status == 201
    answer, whole = await raw(api, path, **asked)
    assert ("content-encoding" in answer.headers, len(whole)) == (False, 5000)


async def test_a_stream_of_events_is_not_compressed(api: Api) -> None:
    execution = await api.execution()
    await api.ended(execution)
    answer, body = await raw(api, f"/api/v1/executions/{execution}/events", **{"Accept-Encoding": "gzip"})
    assert ("content-encoding" in answer.headers, body[:6]) == (False, b"retry:")


async def test_who_has_the_present_version_is_told_so(api: Api) -> None:
    """Of a config: after a change and after it is taken out of use it is another."""
    path = f"/api/v1/configs/{await api.config()}"
    async with api.session.get(api.url + path) as answer:
        etag = answer.headers["etag"]
    for named in (etag, f'"other", W/{etag}', "*"):
        async with api.session.get(api.url + path, headers={"If-None-Match": named}) as answer:
            assert (answer.status, await answer.read(), answer.headers["etag"]) == (304, b"", etag)
            assert "content-type" not in answer.headers
    changed = {"description": "another"}
    assert (await api.ask("PUT", path, json=changed, headers={"If-Match": etag}))[0] == 200
    assert (await api.ask("GET", path, headers={"If-None-Match": etag}))[0] == 200
    assert (await api.ask("PUT", path, json=changed, headers={"If-Match": etag}))[0] == 412
    async with api.session.get(api.url + path) as answer:
        present = answer.headers["etag"]
    await api.ask("DELETE", path)
    assert (await api.ask("GET", path, headers={"If-None-Match": present}))[0] == 200


async def test_who_has_the_present_subscription_is_told_so(api: Api) -> None:
    body = {"url": "https://example.org/hook", "event_types": ["execution.completed"]}
    _, made = await api.ask("POST", "/api/v1/webhooks", json=body)
    path = f"/api/v1/webhooks/{made['id']}"
    assert (await api.ask("GET", path, headers={"If-None-Match": '"1"'}))[0] == 304
    assert (await api.ask("PATCH", path, json={"description": "x"}, headers={"If-Match": '"1"'}))[0] == 200
    assert (await api.ask("GET", path, headers={"If-None-Match": '"1"'}))[0] == 200


async def test_nobody_removes_a_version_that_they_have_not_seen(api: Api) -> None:
    config = f"/api/v1/configs/{await api.config()}"
    body = {"url": "https://example.org/hook", "event_types": ["execution.completed"]}
    _, made = await api.ask("POST", "/api/v1/webhooks", json=body)
    webhook = f"/api/v1/webhooks/{made['id']}"
    for path in (config, webhook):
        status, problem = await api.ask("DELETE", path, headers={"If-Match": '"7"'})
        assert (status, problem["error_code"]) == (412, "precondition_failed")
        assert (await api.ask("GET", path))[0] == 200
        assert (await api.ask("DELETE", path, headers={"If-Match": "seven"}))[0] == 400
        assert (await api.ask("DELETE", path, headers={"If-Match": '"1"'}))[0] == 204


async def asked_by(api: Api, origin: str, method: str = "GET", **headers: str) -> Any:
    path = api.url + "/api/v1/configs"
    async with api.session.request(method, path, headers={"Origin": origin, **headers}) as answer:
        return answer


async def test_a_page_of_a_named_origin_may_ask() -> None:
    """What it may send and read, without asking again for a day."""
    settings = HttpSettings(cors_origins=(HERE,), refuses_foreign_hosts=True)
    async with serving(settings) as api:
        question = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        answer = await asked_by(api, HERE, "OPTIONS", **question)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == HERE
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        assert "POST" in answer.headers["access-control-allow-methods"]
        answer = await asked_by(api, HERE)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, HERE)
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "Origin" in answer.headers.getall("vary")
        assert (await asked_by(api, HERE, "POST")).status == 422
        for method in ("GET", "OPTIONS"):
            answer = await asked_by(api, THERE, method, **question)
            assert "access-control-allow-origin" not in answer.headers
        assert (await asked_by(api, THERE, "POST")).status == 403


async def test_every_origin_may_ask_where_the_operator_says_so() -> None:
    async with serving(HttpSettings(cors_origins=("*",), needs_keys=True)) as api:
        answer = await asked_by(api, THERE)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, "*")
        assert "access-control-allow-credentials" not in answer.headers


async def test_no_origin_is_named_unless_it_is_set(api: Api) -> None:
    assert "access-control-allow-origin" not in (await asked_by(api, HERE)).headers


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/api/v1/nothing", {}, None, 404),
        ("GET", "/nothing", {}, None, 404),
        ("DELETE", "/api/v1/configs", {}, None, 405),
        ("POST", "/api/v1/configs", {"Content-Type": "application/json"}, b"x" * 200, 413),
        ("POST", "/api/v1/configs", {"Content-Type": "text/plain"}, b"{}", 415),
        ("POST", "/api/v1/configs", {"Content-Type": "application/json"}, b"{}", 422),
        ("POST", "/api/v1/configs", {"Content-Type": "application/json"}, b"{", 400),
    ],
)
async def test_every_refusal_is_a_problem_document(
    method: str, path: str, headers: dict[str, str], body: bytes | None, status: int
) -> None:
    async with (
        serving(HttpSettings(max_body_bytes=100)) as api,
        api.session.request(method, api.url + path, headers=headers, data=body) as answer,
    ):
        problem = await answer.json(content_type=None)
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
        assert (problem["status"], problem["correlation_id"]) == (status, answer.headers["x-request-id"])


@pytest.mark.parametrize("line", ["POST /api/v1/configs", "PUT /api/v1/storage/objects/uploads/a"])
async def test_a_body_that_does_not_arrive_is_given_up(line: str) -> None:
    """After each piece the client has its time again."""
    async with serving(HttpSettings(piece_seconds=0.3)) as api:
        parts = urlsplit(api.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"{line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        writer.write(head.encode() + b"{")
        await asyncio.sleep(0.2)
        writer.write(b" ")
        await asyncio.sleep(0.2)
        writer.write(b" ")
        answered = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
        assert answered.startswith("HTTP/1.1 408")
        assert "application/problem+json" in answered
        writer.close()


async def test_an_answer_that_does_not_begin_is_given_up_and_a_stream_goes_on() -> None:
    async with serving(HttpSettings(answer_seconds=0.2, heartbeat_seconds=0.05)) as api:
        execution = await api.execution("wait")
        path = f"{api.url}/api/v1/executions/{execution}/events"
        async with api.session.get(path) as stream:
            await asyncio.sleep(0.4)
            api.world.gate.set()
            assert b"completed" in await stream.read()
        component = api.world.component
        check = type(component).check

        async def slow(self: Any) -> Any:
            await asyncio.sleep(5)
            return await check(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(component), "check", slow)
            async with api.session.get(api.url + "/api/v1/system/health") as answer:
                problem = await answer.json(content_type=None)
                assert (answer.status, problem["error_code"]) == (503, "answer_too_slow")
                assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("path", "body"), [("indexes", {"model_name": "memory"}), ("indexes/auto-manage", {})]
)
async def test_what_builds_an_index_may_take_longer_than_other_answers(
    path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be cut off in the middle would lose the work, and the next try would come no further."""

    async def slow(*_: object, **__: object) -> Any:
        await asyncio.sleep(0.5)
        raise IndexBuildUnderway

    monkeypatch.setattr(Indexes, "create", slow)
    monkeypatch.setattr(Indexes, "manage", slow)
    async with serving(HttpSettings(answer_seconds=0.1)) as api:
        status, problem = await api.ask("POST", f"/api/v1/{path}", json=body)
        assert (status, problem["error_code"]) == (409, IndexBuildUnderway.code)
