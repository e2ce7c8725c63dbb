"""Trying what the server depends on over HTTP, and what it says of itself to operators."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CONTENT_TYPE_LATEST
from toon_format import decode

from adapters.http.settings import HttpSettings
from adapters.http.wire.diagnostics import MQDiagnosticRequest
from adapters.memory.storage import MemoryObjectStorage
from adapters.postgres.translation import DatabaseUnavailable
from application.contents import Application
from application.engine.engine import Engine
from application.ports.inspection import DatabaseFacts, Totals
from domain.storage import StoredObject
from entrypoints.setting_facts import setting_facts
from entrypoints.settings import Settings
from tests.http_server import Api, World, serving
from tests.integration.test_cli_with_api import factflow


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.mark.parametrize(
    ("component", "steps"),
    [
        ("mq-diagnostic", ["publish", "receive and acknowledge", "delete the queue", "broadcast"]),
        ("storage-diagnostic", ["write", "read", "list", "delete"]),
        ("database-diagnostic", ["facts", "totals"]),
    ],
)
async def test_a_component_that_is_well(api: Api, component: str, steps: list[str]) -> None:
    """Each step by name, with its time; nothing is left behind."""
    status, told = await api.ask("POST", f"/api/v1/system/{component}")
    assert (status, told["ok"]) == (200, True)
    assert [step["name"] for step in told["steps"]] == steps
    assert all(step["ok"] and step["error"] is None and step["duration_ms"] >= 0 for step in told["steps"])
    assert [found async for found in api.world.storage.list()] == []


async def test_another_broker_is_tried_where_a_body_names_one(api: Api) -> None:
    """By the documented fields; addresses inside are refused, and so is what is not known."""
    path, body = "/api/v1/system/mq-diagnostic", {"host": "broker.example.org", "username": "me"}
    status, told = await api.ask("POST", path, json={**body, "password": "right", "test_pubsub": True})
    assert (status, told["component"], told["ok"]) == (200, "broker", True)
    assert [step["name"] for step in told["steps"]] == [
        "look up the name", "connect", "TLS handshake", "STOMP CONNECT", "publish and receive",
    ]  # fmt: skip
    _, told = await api.ask("POST", path, json={**body, "password": "wrong", "ssl_enabled": False})
    assert (told["ok"], told["steps"][-1]["error"]) == (False, "the broker says: who are you?")
    status, problem = await api.ask("POST", path, json={"host": "10.0.0.1", "username": "", "password": ""})
    assert (status, problem["error_code"]) == (403, "destination_refused")
    command = ("system", "mq-diagnostic", "--host", "broker.example.org", "--messages", "2", "--password")
    code, out, _ = await factflow(api, *command, "right")
    assert (code, "publish and receive" in out) == (0, True)
    code, out, _ = await factflow(api, *command, "wrong", "--plain")
    assert (code, "who are you?" in out, "TLS" in out) == (7, True, False)
    for wrong in ({}, {**body, "password": "right", "port": 0}, {**body, "password": "right", "hosts": 1}):
        assert (await api.ask("POST", path, json=wrong))[0] == 422


DOCUMENTED = {
    "host": "broker.example.org",
    "port": 61_614,
    "username": "me",
    "password": "right",
    "ssl_enabled": True,
    "ssl_verify": True,
    "heartbeat_send_ms": 30_000,
    "heartbeat_receive_ms": 30_000,
    "connect_timeout": 10,
    "broker_arn": None,
    "test_pubsub": False,
    "pubsub_timeout": 10,
    "message_count": 1,
    "report_modulo": 0,
    "message_delay_ms": 0,
    "jitter_ms": 0,
    "throttle_rps": None,
    "test_retry": False,
}


async def test_a_body_with_every_documented_field_is_taken(api: Api) -> None:
    """With its defaults, as a client writes them that leaves nothing out."""
    status, told = await api.ask("POST", "/api/v1/system/mq-diagnostic", json=DOCUMENTED)
    assert (status, told["component"], told["ok"]) == (200, "broker", True)


@pytest.mark.parametrize(
    ("fields", "pause", "jitter"),
    [
        ({}, 0.0, 0.0),
        ({"message_delay_ms": 20, "jitter_ms": 30}, 0.02, 0.03),
        ({"throttle_rps": 10}, 0.1, 0.0),
        ({"throttle_rps": 10, "message_delay_ms": 500}, 0.5, 0.0),
    ],
)
def test_messages_are_as_far_apart_as_the_body_says(
    fields: dict[str, object], pause: float, jitter: float
) -> None:
    """The longer of what it waits and what it throttles to."""
    target = msgspec.convert(DOCUMENTED | fields, MQDiagnosticRequest).target()
    assert (target.pause_seconds, target.jitter_seconds) == (pause, jitter)


class Forgetful(MemoryObjectStorage):
    """Takes everything and keeps nothing."""

    async def read(self, key: str) -> bytes:
        return b""

    async def head(self, key: str) -> StoredObject:
        raise AssertionError("a secret address")


class Away:
    """A database that does not answer."""

    async def totals(self) -> Totals:
        raise DatabaseUnavailable("connection refused")

    async def facts(self) -> DatabaseFacts:
        raise DatabaseUnavailable("connection refused")


class Trouble(World):
    """A world whose database is away."""

    def application(self, engine: Engine) -> Application:
        application = super().application(engine)
        return replace(application, diagnostics=replace(application.diagnostics, inspection=Away()))


async def test_a_component_that_is_not_well_says_at_which_step() -> None:
    """And nothing more is tried after it."""
    async with serving(world=Trouble(storage=Forgetful())) as api:
        _, told = await api.ask("POST", "/api/v1/system/storage-diagnostic")
        assert (told["ok"], [step["ok"] for step in told["steps"]]) == (False, [True, False])
        assert told["steps"][1]["error"] == "the object reads otherwise than it was written"
        _, told = await api.ask("POST", "/api/v1/system/database-diagnostic")
        assert (told["ok"], [step["error"] for step in told["steps"]]) == (False, ["connection refused"])
        status, problem = await api.ask("GET", "/api/v1/system/metrics")
        assert (status, problem["error_code"]) == (503, "database_unavailable")
        async with api.session.get(api.url + "/metrics") as response:
            text = await response.text()
        assert response.status == 200
        assert "factflow_component_health" in text
        assert "factflow_documents" not in text


async def test_totals_and_metrics_count_what_happened(api: Api) -> None:
    """By the path of the operation, never by ids that stand in it."""
    execution = await api.execution()
    await api.ended(execution)
    status, totals = await api.ask("GET", "/api/v1/system/metrics")
    assert (status, totals["executions"], totals["messages"]) == (200, {"completed": 1}, {"done": 2})
    assert totals["uptime_seconds"] >= 0
    await api.ask("GET", "/nowhere/at/all")
    async with api.session.get(api.url + "/metrics") as response:
        text = await response.text()
    assert response.headers["content-type"] == CONTENT_TYPE_LATEST
    assert 'factflow_executions{status="completed"} 1.0' in text
    assert 'factflow_messages{state="done"} 2.0' in text
    counted = (
        r'factflow_http_requests_total\{method="GET",path="/api/v1/executions/\{[^}]*\}",status="200"\} [1-9]'
    )
    assert re.search(counted, text)
    assert 'path="unknown",status="404"' in text
    assert execution not in text
    assert re.search(r"^process_resident_memory_bytes [1-9]", text, re.MULTILINE)


async def test_settings_are_listed_without_secrets() -> None:
    """Neither those that are marked as such, nor what stands before the @ of an address."""
    settings = Settings(
        database_url="postgresql://u:hidden1@h/d",
        storage_secret_key="hidden2",
        llm_base_url="http://u:hidden3@llm/v1",
        data_dir=Path("/data"),
    )
    async with serving(HttpSettings(facts=setting_facts(settings))) as api:
        status, told = await api.ask("GET", "/api/v1/system/settings")
    assert status == 200
    assert "hidden" not in json.dumps(told)
    found = {one["name"]: (one["value"], one["is_default"]) for one in told["settings"]}
    assert found["data_dir"] == ("/data", False)
    assert found["port"] == ("8000", True)
    assert found["database_url"] == ("***", False)
    assert found["llm_base_url"] == ("http://***@llm/v1", False)
    assert found["llm_api_key"] == (None, True)
    assert told["total"] == len(told["settings"])


async def test_the_description_as_toon_says_what_the_json_says(api: Api) -> None:
    """Decoded, they are the same."""
    _, document = await api.ask("GET", "/openapi.json")
    async with api.session.get(api.url + "/openapi.toon") as response:
        assert (response.status, response.headers["content-type"]) == (200, "text/toon; charset=utf-8")
        assert decode(await response.text()) == document
