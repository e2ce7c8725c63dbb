"""Keys, people, limits and the audit log over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.http.settings import HttpSettings
from domain.access.key_text import key_text
from domain.access.scope import Scope
from domain.access.single_sign_on import SingleSignOn
from domain.outbound import networks
from tests.access import bearing, issued
from tests.http_server import Api, World, serving

KEYED = HttpSettings(needs_keys=True, heartbeat_seconds=0.05)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(KEYED) as api:
        yield api


def admin(api: Api) -> dict[str, str]:
    return bearing(issued(api.world, "*:write")[1])


async def test_a_key_is_made_shown_once_used_rotated_and_revoked(api: Api) -> None:
    headers = admin(api)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"name": "nightly", "scopes": ["configs:write", "executions:read"], "expires_at": until}
    async with api.session.post(api.url + "/api/v1/keys", json=body, headers=headers) as answer:
        made = await answer.json()
        assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
        assert answer.headers["location"] == f"/api/v1/keys/{made['id']}"
    mine = bearing(made["key"])
    status, own = await api.ask("GET", "/api/v1/keys/self", headers=mine)
    assert (status, own) == (
        200,
        {"owner": f"key:{made['id']}", "name": "nightly", "scopes": body["scopes"], "key_id": made["id"]},
    )
    assert (await api.ask("GET", "/api/v1/configs", headers=mine))[0] == 200
    _, read = await api.ask("GET", f"/api/v1/keys/{made['id']}", headers=headers)
    assert "key" not in read
    assert made["key"].startswith(read["hint"])
    status, turned = await api.ask("POST", f"/api/v1/keys/{made['id']}/rotate", headers=headers)
    assert (status, turned["version"]) == (200, 2)
    for text in (made["key"], turned["key"]):
        assert (await api.ask("GET", "/api/v1/configs", headers=bearing(text)))[0] == 200
    assert (await api.ask("DELETE", f"/api/v1/keys/{made['id']}", headers=headers))[0] == 204
    status, problem = await api.ask("GET", "/api/v1/configs", headers=bearing(turned["key"]))
    assert (status, problem["error_code"]) == (401, "api_key_revoked")
    _, listed = await api.ask("GET", "/api/v1/keys?is_revoked=true", headers=headers)
    assert [(one["name"], one["state"]) for one in listed["keys"]] == [("nightly", "revoked")]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x", "scopes": ["nothing:read"]}, 400, "invalid_scope"),
        ({"name": "x", "scopes": []}, 422, "validation_failed"),
        ({"name": "", "scopes": ["*:read"]}, 422, "validation_failed"),
        ({"name": "x", "scopes": ["*:read"], "expires_at": "2001-01-01T00:00:00Z"}, 400, "invalid_api_key"),
        ({"name": "x", "scopes": ["*:read"], "expires_at": "2101-01-01T00:00:00"}, 422, "validation_failed"),
        ({"name": "x\0", "scopes": ["*:read"]}, 422, "validation_failed"),
    ],
)
async def test_a_key_that_cannot_be_is_refused(api: Api, body: Any, status: int, code: str) -> None:
    answered, problem = await api.ask("POST", "/api/v1/keys", json=body, headers=admin(api))
    assert (answered, problem["error_code"]) == (status, code)


async def test_a_key_cannot_make_a_stronger_one(api: Api) -> None:
    headers = bearing(issued(api.world, "keys:write")[1])
    body = {"name": "x", "scopes": ["*:read"]}
    status, problem = await api.ask("POST", "/api/v1/keys", json=body, headers=headers)
    assert (status, problem["error_code"]) == (403, "scope_not_held")


@pytest.mark.parametrize(
    ("header", "code", "challenge"),
    [
        ("Basic eDp5", "not_authenticated", ""),
        ("Bearer ", "not_authenticated", ""),
        ("Bearer nonsense", "api_key_not_valid", 'error="invalid_token"'),
        ("bearer " + key_text("live", bytes(32)), "api_key_not_valid", 'error="invalid_token"'),
        ("Bearer " + key_text("live", bytes(32))[:-1], "api_key_not_valid", 'error="invalid_token"'),
        ("Bearer ff_live_\xe4", "api_key_not_valid", 'error="invalid_token"'),
    ],
)
async def test_what_is_no_key_is_refused(api: Api, header: str, code: str, challenge: str) -> None:
    async with api.session.get(api.url + "/api/v1/configs", headers={"Authorization": header}) as answer:
        problem = await answer.json(content_type=None)
        assert (answer.status, problem["error_code"]) == (401, code)
        assert challenge in answer.headers["www-authenticate"]


async def test_two_keys_in_one_request_are_too_many(api: Api) -> None:
    text = issued(api.world, "*:write")[1]
    headers = [("Authorization", f"Bearer {text}"), ("Authorization", f"Bearer {text}")]
    status, problem = await api.ask("GET", "/api/v1/configs", headers=headers)
    assert (status, problem["error_code"]) == (400, "malformed_request")


async def test_a_refusal_says_which_scope_is_missing(api: Api) -> None:
    headers = bearing(issued(api.world, "configs:read")[1])
    async with api.session.post(api.url + "/api/v1/configs", json={}, headers=headers) as answer:
        assert answer.status == 403
        assert 'scope="configs:write"' in answer.headers["www-authenticate"]
        assert "configs:write" in (await answer.json(content_type=None))["detail"]


async def test_too_many_requests_are_told_when_to_come_back(api: Api) -> None:
    headers = bearing(issued(api.world, "*:read", requests_per_minute=2)[1])
    statuses = [(await api.ask("GET", "/api/v1/configs", headers=headers))[0] for _ in range(2)]
    async with api.session.get(api.url + "/api/v1/configs", headers=headers) as answer:
        problem = await answer.json(content_type=None)
        assert (statuses, answer.status, problem["error_code"]) == ([200, 200], 429, "too_many_requests")
        assert 1 <= int(answer.headers["retry-after"]) <= 30


async def test_a_person_is_believed_from_a_trusted_proxy_only() -> None:
    """The same headers from anywhere else are nothing, and X-Forwarded-For makes nobody a proxy."""
    person = {"X-Forwarded-User": "åsa", "X-Forwarded-Groups": "staff, editors"}
    groups = {"editors": frozenset({Scope.parse("configs:read")})}
    trusting = SingleSignOn(proxies=networks("127.0.0.1"), group_scopes=groups)
    async with serving(KEYED, World(sign_on=trusting)) as api:
        status, own = await api.ask("GET", "/api/v1/keys/self", headers=person)
        assert (status, own["owner"], own["scopes"]) == (200, "user:åsa", ["configs:read"])
        assert (await api.ask("GET", "/api/v1/configs", headers=person))[0] == 200
        assert (await api.ask("GET", "/api/v1/executions", headers=person))[0] == 403
        with_jwt = person | {"Authorization": "Bearer eyJhbGciOi.passed.on"}
        assert (await api.ask("GET", "/api/v1/configs", headers=with_jwt))[0] == 200
        key, text = issued(api.world, "executions:read")
        _, own = await api.ask("GET", "/api/v1/keys/self", headers=person | bearing(text))
        assert own["owner"] == key.owner
        twice = [("X-Forwarded-User", "a"), ("X-Forwarded-User", "b")]
        assert (await api.ask("GET", "/api/v1/configs", headers=twice))[0] == 400
    doubting = SingleSignOn(proxies=networks("192.0.2.1"), group_scopes=groups)
    async with serving(KEYED, World(sign_on=doubting)) as api:
        for more in ({}, {"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}):
            status, problem = await api.ask("GET", "/api/v1/configs", headers=person | more)
            assert (status, problem["error_code"]) == (401, "not_authenticated")


async def test_an_open_server_looks_at_no_key() -> None:
    async with serving() as api:
        for headers in ({}, bearing("nonsense")):
            status, own = await api.ask("GET", "/api/v1/keys/self", headers=headers)
            assert (status, own["owner"], own["scopes"]) == (200, "local", ["*:write"])


async def test_what_is_done_and_what_is_refused_is_in_the_audit_log(api: Api) -> None:
    key, text = issued(api.world, "*:write", name="nachts")
    labelled = bearing(text) | {"X-Request-Id": "request-1"}
    body = {"name": "x", "config_yaml": "routes: {}"}
    _, config = await api.ask("POST", "/api/v1/configs", json=body, headers=labelled)
    await api.ask("DELETE", f"/api/v1/configs/{config['id']}", headers=bearing(text))
    await api.ask("POST", "/api/v1/configs", json={}, headers=bearing(text))
    await api.ask("GET", "/api/v1/configs")
    await api.ask("GET", "/api/v1/configs", headers=bearing(text))
    status, found = await api.ask("GET", "/api/v1/audit", headers=bearing(text))
    assert (status, found["total"]) == (200, 4)
    told = [(one["operation"], one["outcome"], one["status"], one["owner"]) for one in found["entries"]]
    assert told == [
        ("list_configs", "refused", 401, None),
        ("create_config", "failed", 422, key.owner),
        ("deactivate_config", "done", 204, key.owner),
        ("create_config", "done", 201, key.owner),
    ]
    first = found["entries"][-1]
    assert (first["object"], first["request_id"], first["name"], first["address"]) == (
        "/api/v1/configs",
        "request-1",
        "nachts",
        "127.0.0.1",
    )
    assert found["entries"][2]["object"] == f"/api/v1/configs/{config['id']}"
    assert found["entries"][0]["error_code"] == "not_authenticated"
    assert text not in str(found)
    _, mine = await api.ask("GET", f"/api/v1/audit?owner={key.owner}&outcome=done", headers=bearing(text))
    operations = [one["operation"] for one in mine["entries"]]
    assert operations == ["list_audit_entries", "deactivate_config", "create_config"]
    _, looked = await api.ask("GET", "/api/v1/audit?operation=list_audit_entries", headers=bearing(text))
    assert looked["total"] == 2


async def test_the_audit_log_is_read_page_by_page(api: Api) -> None:
    headers = admin(api)
    for _ in range(5):
        await api.ask("POST", "/api/v1/configs", json={}, headers=headers)
    seen, cursor = [], ""
    while True:
        path = f"/api/v1/audit?operation=create_config&limit=2{cursor}"
        _, page = await api.ask("GET", path, headers=headers)
        seen += page["entries"]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == 5
    assert (await api.ask("GET", "/api/v1/audit?cursor=nonsense", headers=headers))[0] == 400


async def test_an_answer_is_sent_when_its_entry_is_kept(api: Api) -> None:
    """Many at once: each has one."""
    headers = admin(api)
    bodies = [{"name": f"config {number}", "config_yaml": "routes: {}"} for number in range(20)]
    await asyncio.gather(*(api.ask("POST", "/api/v1/configs", json=body, headers=headers) for body in bodies))
    assert len([one for one in api.world.audit_log.entries if one.status == 201]) == 20
