"""`factflow webhook` against the API itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from domain.webhooks.delivery import Answer
from domain.webhooks.event import WebhookEvent
from tests.http_server import Api, serving
from tests.integration.test_cli_with_api import factflow


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def created(api: Api, *options: str) -> str:
    """The id of a new subscription."""
    arguments = (
        "--url",
        "https://example.org/h",
        "--events",
        "execution.completed,execution.failed",
        *options,
    )
    code, out, err = await factflow(api, "webhook", "create", *arguments, "--output", "json")
    assert code == 0, err
    return str(json.loads(out)["id"])


async def test_the_documented_way_to_create_one_works(api: Api) -> None:
    """--url, --events by commas, --secret."""
    code, out, err = await factflow(
        api,
        "webhook", "create", "--url", "https://example.org/h", "--events", "execution.completed, execution.failed",
        "--secret", "s3cret", "--route", "read", "--header", "X-Key: k", "--ordered",
    )  # fmt: skip
    assert (code, "s3cret" in out, "shown this once" in err) == (0, True, True)
    code, out, _ = await factflow(api, "webhook", "list", "--output", "json")
    (kept,) = json.loads(out)["webhooks"]
    assert (kept["event_types"], kept["filters"]["route_id"]) == (
        ["execution.completed", "execution.failed"],
        "read",
    )
    assert (kept["header_names"], kept["is_ordered"]) == (["X-Key"], True)
    code, _, err = await factflow(
        api, "webhook", "create", "--url", "https://127.0.0.1/", "--events", "execution.completed"
    )
    assert (code, "not a public address" in err) == (6, True)


async def test_a_subscription_is_looked_after(api: Api) -> None:
    """From the first look to its end."""
    name = await created(api)
    code, out, _ = await factflow(api, "webhook", "get", name)
    assert (code, "secret" in out.replace("valid_secrets", "")) == (0, False)
    code, out, _ = await factflow(api, "webhook", "edit", name, "--events", "execution.failed")
    assert (code, "execution.completed" in out) == (0, False)
    code, out, _ = await factflow(api, "webhook", "rotate-secret", name, "--keep-old", "1h")
    assert (code, "whsec_" in out) == (0, True)
    for act in ("disable", "enable"):
        assert (await factflow(api, "webhook", act, name))[:2] == (0, f"{act}d {name}\n")
    code, out, _ = await factflow(api, "webhook", "event-types")
    assert (code, "message.dead_lettered" in out) == (0, True)
    assert (await factflow(api, "webhook", "delete", name))[0] == 0
    assert (await factflow(api, "webhook", "get", name))[0] == 4


async def test_a_test_tells_what_came_of_it(api: Api) -> None:
    """By its exit code too."""
    name = await created(api)
    code, out, _ = await factflow(api, "webhook", "test", name)
    assert (code, out.endswith("is delivered, the last answer was 200\n")) == (0, True)
    api.world.webhook_answer = Answer(status=500)
    code, out, _ = await factflow(api, "webhook", "test", name)
    assert (code, out.endswith("is dead, the last answer was 500\n")) == (1, True)


async def test_deliveries_are_seen_and_sent_again(api: Api) -> None:
    """One, those of a filter, and those since a moment."""
    api.world.webhook_answer = Answer(status=400, body=b"wrong")
    name = await created(api)
    for _ in range(2):
        api.world.webhooks.publish(
            WebhookEvent(id=uuid4(), type="execution.completed", occurred_at=datetime.now(UTC))
        )
    code, _, _ = await factflow(api, "webhook", "test", name)
    assert code == 1
    code, out, err = await factflow(api, "webhook", "deliveries", "--state", "dead", "--output", "json")
    assert code == 0, err
    dead = json.loads(out)["deliveries"]
    assert len(dead) == 3
    code, out, _ = await factflow(api, "webhook", "attempts", dead[0]["id"])
    assert (code, "wrong" in out) == (0, True)
    assert (await factflow(api, "webhook", "delivery", dead[0]["id"]))[0] == 0
    api.world.webhook_answer = Answer(status=200)
    code, out, _ = await factflow(api, "webhook", "retry", dead[0]["id"])
    assert (code, " is pending" in out or " is delivered" in out) == (0, True)
    code, out, _ = await factflow(api, "webhook", "retry", "--event-type", "execution.completed")
    assert (code, out) == (0, "completed: 2 are sent again\n")
    code, out, _ = await factflow(api, "webhook", "replay", name, "--since", "2020-01-01")
    assert (code, out.startswith("completed: ")) == (0, True)
    for wrong in ((), ("--all", "--status", "400"), (dead[0]["id"], "--all")):
        assert (await factflow(api, "webhook", "retry", *wrong))[0] == 2
