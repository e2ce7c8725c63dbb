"""What holds for every request: ids, hosts and origins, HEAD, and errors that are the server's own."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.http.settings import HttpSettings
from adapters.memory.models import MemoryEmbeddingModel
from application.ports.leases import WorkerFacts
from application.ports.readiness import ComponentHealth, Health
from domain.errors import Unavailable
from tests.http_server import Api, Component, World, serving

LIVE = "/api/v1/system/live"
SEARCH = "/api/v1/search"
QUESTION = {"query": "how is it?"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.fixture
async def guarded() -> AsyncIterator[Api]:
    settings = HttpSettings(refuses_foreign_hosts=True, host_names=frozenset({"facts.example"}))
    async with serving(settings) as api:
        yield api


@dataclass
class Failing(Component):
    """Raises when it is asked."""

    error: Exception = RuntimeError("password=secret")  # noqa: RUF009  # one error is as good as the next

    async def check(self) -> ComponentHealth:
        raise self.error


class FailingModel(MemoryEmbeddingModel):
    """Embeds nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        raise self._error


async def test_a_request_id_comes_back_also_in_problems(api: Api) -> None:
    options: dict[str, Any] = {"headers": {"X-Request-Id": "mine-1", "traceparent": TRACE}}
    for path in (LIVE, "/nothing"):
        async with api.session.get(api.url + path, **options) as response:
            assert response.headers["X-Request-Id"] == "mine-1"
            taken_up = response.headers["traceparent"]
            assert (taken_up[:35], taken_up[-3:]) == (TRACE[:35], TRACE[-3:])
            assert taken_up != TRACE
    _, problem = await api.ask("GET", "/nothing", **options)
    assert problem["correlation_id"] == "mine-1"


async def test_a_request_without_an_id_is_given_one_of_its_own(api: Api) -> None:
    ids = set()
    for _ in range(2):
        async with api.session.get(api.url + LIVE) as response:
            ids.add(response.headers["X-Request-Id"])
    assert len(ids) == 2


@pytest.mark.parametrize("path", [LIVE, "/openapi.json", "/docs", "/", "/api/v1/configs", "/nothing"])
async def test_head_answers_as_get_without_a_body(api: Api, path: str) -> None:
    async with api.session.get(api.url + path) as response:
        expected = (response.status, response.headers["Content-Type"])
    async with api.session.head(api.url + path) as response:
        assert (response.status, response.headers["Content-Type"]) == expected
        assert await response.read() == b""


@pytest.mark.parametrize("host", ["evil.example", "facts.example.evil.example", "10.0.0.1:80"])
async def test_a_host_that_is_not_ours_is_refused(guarded: Api, host: str) -> None:
    status, problem = await guarded.ask("GET", LIVE, headers={"Host": host})
    assert (status, problem["error_code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "facts.example", "[::1]:1"])
async def test_our_own_hosts_are_answered(guarded: Api, host: str) -> None:
    assert (await guarded.ask("GET", LIVE, headers={"Host": host}))[0] == 200


async def test_a_page_of_another_origin_changes_nothing(guarded: Api) -> None:
    path = "/api/v1/executions/x/cancel"
    for origin in ("http://evil.example", "null", "http://localhost.evil.example", "http://[evil"):
        status, problem = await guarded.ask("POST", path, headers={"Origin": origin})
        assert (status, problem["error_code"]) == (403, "origin_not_allowed")
    status, _ = await guarded.ask("POST", path, headers={"Origin": "http://localhost:3000"})
    assert status == 404


async def test_a_server_behind_authentication_answers_any_host(api: Api) -> None:
    assert (await api.ask("GET", LIVE, headers={"Host": "facts.example"}))[0] == 200


async def test_an_unforeseen_error_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    world = World(model=FailingModel(RuntimeError("password=secret")))
    async with serving(world=world) as api:
        status, problem = await api.ask("POST", SEARCH, json=QUESTION, headers={"X-Request-Id": "abc"})
    assert (status, problem["error_code"], problem["correlation_id"]) == (500, "internal_error", "abc")
    assert "secret" not in str(problem)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info
    assert "password=secret" in record.getMessage()


async def test_what_is_unavailable_may_be_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    world = World(model=FailingModel(Unavailable("the model is away")))
    async with serving(world=world) as api, api.session.post(api.url + SEARCH, json=QUESTION) as response:
        problem = await response.json(content_type=None)
        assert (response.status, problem["detail"]) == (503, "the model is away")
        assert int(response.headers["Retry-After"]) > 0
    assert [record.exc_info for record in caplog.records if record.levelname == "WARNING"] == [None]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("password=secret"), "it could not be asked; the log tells why"),
        (Unavailable("the database is away"), "the database is away"),
    ],
)
async def test_a_component_that_cannot_be_asked_is_unhealthy_and_gives_nothing_away(
    error: Exception, told: str
) -> None:
    async with serving(world=World(component=Failing(error=error))) as api:
        status, health = await api.ask("GET", "/api/v1/system/health")
    assert (status, health["status"], health["components"][0]["message"]) == (200, "unhealthy", told)


async def test_health_is_200_however_it_is_and_readiness_is_not() -> None:
    async with serving(world=World(component=Component(health=Health.UNHEALTHY))) as api:
        status, health = await api.ask("GET", "/api/v1/system/health")
        assert (status, health["status"], health["components"][0]["status"]) == (
            200,
            "unhealthy",
            "unhealthy",
        )
        assert "debug" not in health
        status, problem = await api.ask("GET", "/api/v1/system/ready")
        assert (status, problem["error_code"]) == (503, "not_ready")


async def test_a_server_is_not_ready_before_recovery_is_done() -> None:
    done: list[bool] = []
    async with serving(HttpSettings(has_recovered=lambda: bool(done))) as api:
        assert (await api.ask("GET", "/api/v1/system/ready"))[0] == 503
        assert (await api.ask("GET", LIVE))[0] == 200
        done.append(True)
        assert (await api.ask("GET", "/api/v1/system/ready"))[0] == 200


async def test_debug_shows_the_components_details(api: Api) -> None:
    _, health = await api.ask("GET", "/api/v1/system/health?debug=true")
    assert health["debug"] == {"database": {"connections": 1}}


async def test_the_workers_that_are_alive_are_listed(api: Api) -> None:
    """With what each tells of itself; whose lease has run out is not among them."""
    leases, now = api.world.leases, datetime.now(UTC)
    alive, gone, execution_id = uuid4(), uuid4(), uuid4()
    facts = WorkerFacts(name="reader", host="h1", pid=7, since=now, in_hand=3)
    await leases.hold(alive, until=now + timedelta(minutes=1), executions=[execution_id], worker=facts)
    await leases.hold(gone, until=now - timedelta(minutes=1), worker=facts)
    status, listed = await api.ask("GET", "/api/v1/system/workers")
    assert (status, listed["total"], listed["has_more"]) == (200, 1, False)
    (worker,) = listed["workers"]
    assert (worker["id"], worker["executions"], worker["in_hand"]) == (str(alive), [str(execution_id)], 3)
    assert (worker["name"], worker["host"], worker["pid"], worker["answers"]) == ("reader", "h1", 7, False)


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "status=running&status=running", "status=null", "limit=NULL"]
)
async def test_a_parameter_that_is_ambiguous_is_refused(api: Api, query: str) -> None:
    """Neither the last of several values is taken, nor `null` as if nothing were said."""
    status, problem = await api.ask("GET", f"/api/v1/executions?{query}")
    assert (status, problem["error_code"]) == (422, "validation_failed")
    assert [error["path"] for error in problem["errors"]] == [query.partition("=")[0]]


async def test_options_names_every_method_of_a_path(api: Api) -> None:
    """Those of all operations."""
    async with api.session.options(f"{api.url}/api/v1/configs/{uuid4()}") as response:
        assert response.status == 204
        assert response.headers["allow"] == "DELETE, GET, OPTIONS, PUT"
