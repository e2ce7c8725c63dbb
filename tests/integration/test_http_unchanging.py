"""Answers that stay the same while a server runs are made once; everything else about them is as for others."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.http import compression
from adapters.http.settings import HttpSettings
from adapters.http.unchanging import MOST_KEPT
from application.access.doorkeeper import Doorkeeper
from application.pipeline_adapters import Catalogue
from domain.errors import Unavailable
from tests.access import bearing, issued
from tests.http_server import Api, World, raw, serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEYED = HttpSettings(needs_keys=True, heartbeat_seconds=0.05)
LIST = "/api/v1/adapters"
UNCHANGING = ["/api/v1/system/live", "/api/v1/system/info", LIST]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.mark.parametrize("path", UNCHANGING)
async def test_the_second_answer_is_the_first(api: Api, path: str) -> None:
    """Its head too, but for what is of the request: its id, its trace, and the moment."""
    answers = []
    for _ in range(3):
        async with api.session.get(api.url + path) as answer:
            assert answer.status == 200
            own = {"x-request-id", "traceparent", "date"}
            assert own - {"date"} <= {name.lower() for name in answer.headers}
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in own}
            answers.append(
                (await answer.read(), kept, answer.headers["x-request-id"], answer.headers["traceparent"])
            )
    assert answers[0][:2] == answers[1][:2] == answers[2][:2]
    assert len({answer[2] for answer in answers}) == len({answer[3] for answer in answers}) == 3


async def test_the_use_case_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each query of its own; a refused one is asked every time."""
    asked: list[dict[str, Any]] = []
    list_all = Catalogue.list

    async def counted(self: Catalogue, **wanted: Any) -> Any:
        asked.append(wanted)
        return await list_all(self, **wanted)

    monkeypatch.setattr(Catalogue, "list", counted)
    async with serving() as api:
        for query in ("", "", "?limit=1", "?limit=1", ""):
            assert (await api.ask("GET", LIST + query))[0] == 200
        assert len(asked) == 2
        for _ in range(2):
            assert (await api.ask("GET", f"{LIST}?limit=0"))[0] == 422
        for number in range(1, MOST_KEPT + 5):
            await api.ask("GET", f"{LIST}?offset={number}")
        before = len(asked)
        for number, times in ((MOST_KEPT + 4, 0), (5, 0), (4, 1)):  # the oldest made room
            await api.ask("GET", f"{LIST}?offset={number}")
            assert len(asked) == before + times


async def test_made_up_queries_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds what an operation does not take neither has it done again nor others' answers forgotten."""
    asked = 0
    list_all = Catalogue.list

    async def counted(self: Catalogue, **wanted: Any) -> Any:
        nonlocal asked
        asked += 1
        return await list_all(self, **wanted)

    monkeypatch.setattr(Catalogue, "list", counted)
    async with serving() as api:
        _, plain = await raw(api, f"{LIST}?limit=1")
        for number in range(MOST_KEPT + 5):
            assert (await api.ask("GET", f"/api/v1/system/live?n={number}"))[0] == 200
            _, again = await raw(api, f"{LIST}?limit=1&x{number}={number}")
            assert again == plain
        assert asked == 1
        assert (await api.ask("GET", f"{LIST}?limit=1&limit=2"))[0] == 422


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.toon", "/docs"])
async def test_a_page_for_everybody_is_encoded_once(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are long, and nobody need have a key for them."""
    made = 0
    piece = compression._Gzip.piece

    def counted(self: Any, data: bytes, *, is_last: bool) -> bytes:
        nonlocal made
        made += 1
        return piece(self, data, is_last=is_last)

    monkeypatch.setattr(compression._Gzip, "piece", counted)
    answers = [await raw(api, f"{path}?n={number}", **{"Accept-Encoding": "gzip"}) for number in range(4)]
    assert {answer.headers["content-encoding"] for answer, _ in answers} == {"gzip"}
    assert len({body for _, body in answers}) == 1
    assert made == 1


async def test_who_asks_is_looked_at_every_time() -> None:
    """A key that was revoked since opens nothing, one without the scope never did, and both are told so as ever."""
    world = World()
    key, text = issued(world, "adapters:read")
    _, other = issued(world, "configs:read")
    async with serving(KEYED, world) as api:
        for _ in range(2):
            assert (await api.ask("GET", LIST, headers=bearing(text)))[0] == 200
            async with api.session.get(api.url + LIST) as refused:
                problem = await refused.json(content_type=None)
                assert (refused.status, refused.content_type) == (401, "application/problem+json")
                assert (problem["instance"], problem["error_code"]) == (LIST, "not_authenticated")
                assert problem["correlation_id"] == refused.headers["x-request-id"]
                assert refused.headers["www-authenticate"]
                assert refused.headers["vary"] == "Accept-Encoding"
                assert int(refused.headers["content-length"]) == len(await refused.read())
            status, problem = await api.ask("GET", LIST, headers=bearing(other))
            assert (status, problem["error_code"]) == (403, "scope_missing")
        assert (
            await api.ask(
                "DELETE", f"/api/v1/keys/{key.id}", headers=bearing(issued(world, "*:write", "*:read")[1])
            )
        )[0] in {200, 204}
        assert (await api.ask("GET", LIST, headers=bearing(text)))[0] == 401


async def test_a_store_of_keys_that_is_away_is_told_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As for every other answer, also when nobody foresaw it."""
    world = World()
    _, text = issued(world, "adapters:read")
    async with serving(KEYED, world) as api:
        assert (await api.ask("GET", LIST, headers=bearing(text)))[0] == 200
        for error, status in ((Unavailable("the database is away"), 503), (RuntimeError("a defect"), 500)):
            lookups = 0

            async def away(
                self: Doorkeeper, text: str, *, address: str = "", error: Exception = error
            ) -> None:
                nonlocal lookups
                lookups += 1
                raise error

            monkeypatch.setattr(Doorkeeper, "holder", away)
            caplog.clear()
            answered, problem = await api.ask("GET", LIST, headers=bearing(text))
            assert (answered, problem["status"]) == (status, status)
            assert lookups == 1 or status == 500
            assert any(str(error) in one.getMessage() for one in caplog.records)


async def test_a_store_of_keys_that_says_nothing_is_waited_for_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit for an answer holds while it is found out who asks."""
    world = World()
    _, text = issued(world, "adapters:read")
    settings = HttpSettings(needs_keys=True, answer_seconds=0.1)
    async with serving(settings, world) as api:
        assert (await api.ask("GET", LIST, headers=bearing(text)))[0] == 200

        async def silent(self: Doorkeeper, text: str, *, address: str = "") -> None:
            await asyncio.sleep(5)

        monkeypatch.setattr(Doorkeeper, "holder", silent)
        status, problem = await api.ask("GET", LIST, headers=bearing(text))
        assert (status, problem["error_code"]) == (503, "answer_too_slow")


async def test_each_encoding_has_an_answer_of_its_own(api: Api) -> None:
    """Asked for again it is the same to the byte, and whoever reads no encoding is sent none."""
    _, plain = await raw(api, LIST, **{"Accept-Encoding": "identity"})
    for _ in range(2):
        for encoding, decoded in (("gzip", gzip.decompress), ("zstd", zstd.decompress)):
            answer, body = await raw(api, LIST, **{"Accept-Encoding": encoding})
            assert (answer.headers["content-encoding"], decoded(body)) == (encoding, plain)
            assert answer.headers.getall("vary") == ["Accept-Encoding"]
        answer, body = await raw(api, LIST, **{"Accept-Encoding": "identity"})
        assert ("content-encoding" in answer.headers, body) == (False, plain)


async def test_limits_count_these_requests_too() -> None:
    world = World()
    _, text = issued(world, "adapters:read", requests_per_minute=5)
    async with serving(KEYED, world) as api:
        statuses = [(await api.ask("GET", LIST, headers=bearing(text)))[0] for _ in range(8)]
    assert statuses[:5] == [200] * 5
    assert 429 in statuses[5:]


async def test_what_is_not_a_plain_get_is_answered_as_ever(api: Api) -> None:
    """HEAD has the length of the body, OPTIONS the methods, other methods a problem; what is long is compressed."""
    status, _ = await api.ask("GET", LIST)
    assert status == 200
    async with api.session.head(api.url + LIST) as head, api.session.get(api.url + LIST) as whole:
        assert int(head.headers["content-length"]) == len(await whole.read()) > 0
        assert await head.read() == b""
    assert (await api.ask("POST", LIST))[0] == 405
    async with api.session.options(api.url + LIST) as options:
        assert "GET" in options.headers["allow"]
    async with api.session.get(api.url + "/api/v1/system/live", headers={"Accept-Encoding": "gzip"}) as live:
        assert (await live.json(), live.headers["vary"]) == ({"status": "ok"}, "Accept-Encoding")


async def test_metrics_count_them(api: Api) -> None:
    for _ in range(3):
        await api.ask("GET", "/api/v1/system/live")
    async with api.session.get(api.url + "/metrics") as answer:
        text = await answer.text()
    counted = 'factflow_http_requests_total{method="GET",path="/api/v1/system/live",status="200"} '
    (line,) = (line for line in text.splitlines() if line.startswith(counted))
    assert float(line.removeprefix(counted)) >= 3
    assert "factflow_http_requests_under_way 1.0" in text.splitlines()
