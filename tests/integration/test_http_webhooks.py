"""Webhooks over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.webhooks.delivery import Answer
from domain.webhooks.event import WebhookEvent
from tests.http_server import Api, serving

BASE = "/api/v1/webhooks"
BODY: dict[str, Any] = {"url": "https://example.org/hook", "event_types": ["execution.completed"]}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def subscribed(api: Api, **fields: Any) -> dict[str, Any]:
    """A new subscription as it is answered."""
    status, body = await api.ask("POST", BASE, json={**BODY, **fields})
    assert status == 201, body
    return dict(body)


def happened(api: Api, count: int = 1) -> None:
    """So many executions have completed."""
    for number in range(count):
        event = WebhookEvent(
            id=uuid4(), type="execution.completed", occurred_at=datetime.now(UTC), data={"number": number}
        )
        api.world.webhooks.publish(event)
    api.world.webhook_worker.wake()


async def settled(api: Api, count: int = 1) -> list[dict[str, Any]]:
    """All deliveries, once so many have been tried."""
    for _ in range(500):
        _, page = await api.ask("GET", f"{BASE}/deliveries")
        tried = [one for one in page["deliveries"] if one["last_attempt_at"]]
        if len(tried) >= count:
            return list(page["deliveries"])
        await asyncio.sleep(0.005)
    raise AssertionError("nothing is delivered")


async def ended(api: Api, location: str) -> dict[str, Any]:
    """A redelivery when it is over."""
    for _ in range(500):
        _, job = await api.ask("GET", location)
        if job["status"] != "running":
            return dict(job)
        await asyncio.sleep(0.005)
    raise AssertionError("the redelivery does not end")


async def test_a_subscription_shows_its_secret_once(api: Api) -> None:
    """In the answer that makes it; its headers only by name."""
    made = await subscribed(api, headers={"Authorization": "Bearer t0ken"}, filters={"route_id": "read"})
    assert made["secret"].startswith("whsec_")
    assert made["webhook_id"] == made["id"]
    status, read = await api.ask("GET", f"{BASE}/{made['id']}")
    assert status == 200
    assert read == {name: value for name, value in made.items() if name != "secret"}
    assert (read["header_names"], read["filters"]["route_id"]) == (["Authorization"], "read")
    assert "t0ken" not in str(read)
    _, page = await api.ask("GET", BASE, params={"event_type": "execution.completed", "is_enabled": "true"})
    assert (page["webhooks"], page["total"], page["has_more"]) == ([read], 1, False)
    _, page = await api.ask("GET", BASE, params={"is_enabled": "false"})
    assert page["webhooks"] == []


async def test_a_subscription_is_changed_in_the_version_that_was_read(api: Api) -> None:
    """Field by field; null empties what can be empty."""
    path = f"{BASE}/{(await subscribed(api, description='x', requests_per_second=5))['id']}"
    change = {"description": None, "event_types": ["execution.failed"], "filters": {"adapter_name": "reader"}}
    status, changed = await api.ask("PATCH", path, json=change, headers={"If-Match": '"1"'})
    assert (status, changed["version"], changed["description"]) == (200, 2, None)
    assert (changed["event_types"], changed["requests_per_second"]) == (["execution.failed"], 5.0)
    status, problem = await api.ask("PATCH", path, json=change, headers={"If-Match": '"1"'})
    assert (status, problem["error_code"]) == (412, "precondition_failed")
    status, off = await api.ask("POST", f"{path}/disable")
    assert (status, off["is_enabled"], off["disabled_reason"]) == (200, False, "disabled by hand")
    assert (await api.ask("POST", f"{path}/disable"))[1] == off
    _, on = await api.ask("POST", f"{path}/enable")
    assert (on["is_enabled"], on["disabled_at"]) == (True, None)
    assert (await api.ask("DELETE", path))[0] == 204
    status, problem = await api.ask("GET", path)
    assert (status, problem["error_code"]) == (404, "subscription_not_found")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"url": "http://example.org/"}, 403, "destination_refused"),
        ({"url": "https://127.0.0.1/"}, 403, "destination_refused"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, 403, "destination_refused"),
        ({"url": "https://2130706433/"}, 400, "invalid_url"),
        ({"url": "nonsense"}, 400, "invalid_url"),
        ({"url": "https://[2606:4700::1111]x/"}, 400, "invalid_url"),
        ({"event_types": ["execution.exploded"]}, 400, "unknown_event_type"),
        ({"event_types": []}, 422, "validation_failed"),
        ({"secret": ""}, 422, "validation_failed"),
        ({"secret": "a\nb"}, 400, "invalid_webhook_secret"),
        ({"headers": {"Host": "x"}}, 400, "invalid_subscription"),
        ({"filters": {"route_id": ""}}, 400, "invalid_event_filter"),
        ({"timeout_seconds": 0}, 422, "validation_failed"),
        ({"something": 1}, 422, "validation_failed"),
    ],
)
async def test_what_cannot_be_is_said_so(api: Api, fields: dict[str, Any], status: int, code: str) -> None:
    """With a code of its own, and nothing is kept."""
    answered, problem = await api.ask("POST", BASE, json={**BODY, **fields})
    assert (answered, problem["error_code"]) == (status, code)
    assert (await api.ask("GET", BASE))[1]["total"] == 0


async def test_a_secret_is_rotated(api: Api) -> None:
    """The one before signs as well for as long as asked."""
    path = f"{BASE}/{(await subscribed(api, secret='first'))['id']}/rotate-secret"
    status, fresh = await api.ask("POST", path)
    assert (status, fresh["valid_secrets"], fresh["secret"] != "first") == (200, 2, True)
    _, own = await api.ask("POST", path, json={"secret": "mine", "keep_old_seconds": 0})
    assert (own["secret"], own["valid_secrets"]) == ("mine", 1)
    for number in range(10):
        await api.ask("POST", path, json={"secret": f"s{number}"})
    status, problem = await api.ask("POST", path)
    assert (status, problem["error_code"]) == (409, "too_many_webhook_secrets")


async def test_a_subscription_whose_key_is_lost_is_given_a_new_secret(api: Api) -> None:
    """Until then it can be seen, changed and disabled; what needs its secret says so. Others are not touched."""
    made = await subscribed(api, headers={"X-Key": "k"})
    path = f"{BASE}/{made['id']}"
    happened(api)
    (delivery,) = await settled(api)
    api.world.webhooks.keys[UUID(made["id"])] = "lost"
    status, read = await api.ask("GET", path)
    assert (status, read["is_readable"], read["valid_secrets"], read["header_names"]) == (200, False, 0, [])
    assert (await api.ask("GET", BASE))[1]["webhooks"] == [read]
    assert (await subscribed(api))["is_readable"] is True
    for method, rest, body in (
        ("PATCH", "", {"headers": {"X-Key": "k"}, "description": "x"}),
        ("PATCH", "", {"is_enabled": True}),
        ("POST", "/enable", None),
        ("POST", "/test", None),
        ("POST", "/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("POST", f"/../deliveries/{delivery['id']}/retry", None),
    ):
        status, problem = await api.ask(method, path + rest, json=body)
        assert (status, problem["error_code"]) == (409, "subscription_unreadable"), rest or body
        assert "rotate its secret" in problem["detail"]
    status, changed = await api.ask("PATCH", path, json={"description": "x"})
    assert (status, changed["description"], changed["is_readable"]) == (200, "x", False)
    status, off = await api.ask("POST", f"{path}/disable")
    assert (status, off["is_enabled"]) == (200, False)
    assert (await api.ask("POST", f"{path}/enable"))[0] == 409
    status, fresh = await api.ask("POST", f"{path}/rotate-secret")
    assert (status, fresh["is_readable"], fresh["valid_secrets"], fresh["header_names"]) == (200, True, 1, [])
    assert fresh["secret"].startswith("whsec_")
    status, on = await api.ask("PATCH", path, json={"headers": {"X-Key": "k"}, "is_enabled": True})
    assert (status, on["header_names"], on["is_enabled"]) == (200, ["X-Key"], True)
    api.world.webhooks.keys[UUID(made["id"])] = "lost"
    assert (await api.ask("DELETE", path))[0] == 204


async def test_a_subscription_to_a_type_that_another_version_knows_is_shown_as_it_is(api: Api) -> None:
    """And can be changed, so long as nobody names the type anew."""
    _, made = await api.ask("POST", BASE, json=BODY)
    kept, path = api.world.webhooks.subscriptions, f"{BASE}/{made['id']}"
    kept[UUID(made["id"])] = replace(kept[UUID(made["id"])], event_types=("execution.exploded",))
    status, page = await api.ask("GET", BASE)
    assert (status, [one["event_types"] for one in page["webhooks"]]) == (200, [["execution.exploded"]])
    status, changed = await api.ask("PATCH", path, json={"description": "x"})
    assert (status, changed["description"], changed["event_types"]) == (200, "x", ["execution.exploded"])
    status, problem = await api.ask("PATCH", path, json={"event_types": ["execution.exploded"]})
    assert (status, problem["error_code"]) == (400, "unknown_event_type")


async def test_event_types_come_with_schemas_and_examples(api: Api) -> None:
    """Every one that can be asked for."""
    _, page = await api.ask("GET", f"{BASE}/event-types")
    names = [one["name"] for one in page["event_types"]]
    assert {"execution.completed", "message.dead_lettered", "webhook.disabled"} <= set(names)
    assert all(
        one["json_schema"]["properties"]["type"] == {"const": one["name"]} for one in page["event_types"]
    )
    assert (await api.ask("POST", BASE, json={**BODY, "event_types": names}))[0] == 201


async def test_a_delivery_tells_all_of_its_attempts(api: Api) -> None:
    """What was sent, what was answered, and no secret."""
    api.world.webhook_answer = Answer(status=500, headers={"Server": "x"}, body=b"br\xffken")
    made = await subscribed(api, headers={"X-Key": "k3y"})
    happened(api)
    (delivery,) = await settled(api)
    assert (delivery["state"], delivery["last_status"], delivery["failures"]) == ("pending", 500, 1)
    _, detail = await api.ask("GET", f"{BASE}/deliveries/{delivery['id']}")
    assert (detail["subscription_id"], detail["body"]["type"]) == (made["id"], "execution.completed")
    _, page = await api.ask("GET", f"{BASE}/deliveries/{delivery['id']}/attempts")
    (attempt,) = page["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["status"]) == (1, "retry", 500)
    assert attempt["response_body"] == "br\ufffdken"
    shown = attempt["request_headers"]
    assert (shown["webhook-id"], shown["X-Key"], shown["webhook-signature"]) == (delivery["id"], "***", "***")
    status, problem = await api.ask("POST", f"{BASE}/deliveries/{delivery['id']}/retry")
    assert (status, problem["error_code"]) == (409, "delivery_pending")
    assert (await api.ask("GET", f"{BASE}/deliveries/{uuid4()}"))[0] == 404


async def test_dead_deliveries_are_redriven_one_by_one_and_together(api: Api) -> None:
    """`Location` tells how far it has come."""
    api.world.webhook_answer = Answer(status=404)
    made = await subscribed(api)
    happened(api, 3)
    dead = await settled(api, 3)
    assert {one["state"] for one in dead} == {"dead"}
    api.world.webhook_answer = Answer(status=200)
    status, one = await api.ask("POST", f"{BASE}/deliveries/{dead[0]['id']}/retry")
    assert (status, one["state"], one["failures"]) == (202, "pending", 0)
    for body in ({}, {"states": ["pending"]}, {"all": True, "status": 404}):
        status, problem = await api.ask("POST", f"{BASE}/deliveries/redrive", json=body)
        assert (status, problem["error_code"]) == (400, "no_deliveries_named"), body
    url = f"{api.url}{BASE}/deliveries/redrive"
    async with api.session.post(url, json={"subscription_id": made["id"], "status": 404}) as response:
        assert response.status == 202
        location = response.headers["Location"]
    job = await ended(api, location)
    assert (job["status"], job["deliveries"]) == ("completed", 2)
    _, page = await api.ask("GET", f"{BASE}/deliveries", params={"state": "dead"})
    assert page["total"] == 0
    assert (await api.ask("GET", f"{BASE}/redeliveries/{uuid4()}"))[0] == 404


async def test_what_happened_while_disabled_is_replayed(api: Api) -> None:
    """From a moment on."""
    path = f"{BASE}/{(await subscribed(api))['id']}"
    await api.ask("POST", f"{path}/disable")
    happened(api, 2)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    _, page = await api.ask("GET", f"{BASE}/deliveries", params={"state": "skipped", "since": since})
    assert page["total"] == 2
    status, problem = await api.ask("POST", f"{path}/replay", json={"since": since})
    assert (status, problem["error_code"]) == (409, "subscription_disabled")
    await api.ask("POST", f"{path}/enable")
    status, _ = await api.ask("POST", f"{path}/replay", json={"since": since})
    assert status == 202
    assert {one["state"] for one in await settled(api, 2)} == {"delivered"}


async def test_a_test_is_sent_when_asked_for(api: Api) -> None:
    """Unless the subscription is disabled."""
    path = f"{BASE}/{(await subscribed(api))['id']}"
    status, delivery = await api.ask("POST", f"{path}/test")
    assert (status, delivery["event_type"]) == (202, "webhook.test")
    assert [one["state"] for one in await settled(api)] == ["delivered"]
    await api.ask("POST", f"{path}/disable")
    assert (await api.ask("POST", f"{path}/test"))[0] == 409


async def test_deliveries_are_listed_by_cursor(api: Api) -> None:
    """And a cursor that no list gave is refused."""
    await subscribed(api)
    happened(api, 3)
    await settled(api, 3)
    _, first = await api.ask("GET", f"{BASE}/deliveries", params={"limit": "2"})
    _, last = await api.ask(
        "GET", f"{BASE}/deliveries", params={"limit": "2", "cursor": first["next_cursor"]}
    )
    assert (first["has_more"], last["has_more"], first["total"]) == (True, False, 3)
    ids = {one["id"] for one in (*first["deliveries"], *last["deliveries"])}
    assert len(ids) == 3
    for cursor in ("x", "MTIz", "YmVmb3JlIC0x"):
        status, problem = await api.ask("GET", f"{BASE}/deliveries", params={"cursor": cursor})
        assert (status, problem["error_code"]) == (400, "invalid_cursor")
    for query in ({"state": "lost"}, {"status": "99"}, {"failure": "x"}, {"since": "yesterday"}):
        assert (await api.ask("GET", f"{BASE}/deliveries", params=query))[0] == 422, query
