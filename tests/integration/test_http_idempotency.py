"""A POST with an idempotency key is done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.http.settings import HttpSettings
from tests.access import bearing, issued
from tests.http_server import Api, serving

BODY = {"name": "a config", "config_yaml": "routes: {}"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def post(api: Api, path: str, key: str | None, body: Any, **headers: str) -> tuple[int, Any, bool]:
    """Status, body, and whether it is a replay."""
    given = headers | ({} if key is None else {"Idempotency-Key": key})
    async with api.session.post(api.url + "/api/v1" + path, json=body, headers=given) as answer:
        replayed = answer.headers.get("idempotent-replayed") == "true"
        return answer.status, await answer.json(content_type=None), replayed


async def configs(api: Api) -> int:
    return int((await api.ask("GET", "/api/v1/configs"))[1]["total"])


async def test_a_repeat_is_told_the_same_and_done_no_more(api: Api) -> None:
    first = await post(api, "/configs", "key-1", BODY)
    again = await post(api, "/configs", '"key-1"', BODY)
    assert (first[0], first[2]) == (201, False)
    assert again == (201, first[1], True)
    assert await configs(api) == 1
    assert (await post(api, "/configs", "key-2", BODY))[1]["id"] != first[1]["id"]
    assert (await post(api, "/configs", None, BODY))[1]["id"] != first[1]["id"]


async def test_the_replay_has_the_headers_that_tell_where_things_are(api: Api) -> None:
    heads = []
    for _ in range(2):
        path = api.url + "/api/v1/configs"
        async with api.session.post(path, json=BODY, headers={"Idempotency-Key": "k"}) as answer:
            heads.append({name: answer.headers[name] for name in ("location", "etag", "content-type")})
    assert heads[0] == heads[1]


async def test_another_request_under_the_same_key_is_refused(api: Api) -> None:
    await post(api, "/configs", "key-1", BODY)
    for path, body in (("/configs", BODY | {"name": "other"}), ("/configs?x=1", BODY), ("/webhooks", BODY)):
        status, problem, _ = await post(api, path, "key-1", body)
        assert (status, problem["error_code"]) == (422, "idempotency_key_reused")


async def test_while_the_first_is_at_work_a_repeat_is_in_flight(api: Api) -> None:
    """Of many at once one is done; the others are told to wait, or what it was answered."""
    answers = await asyncio.gather(*(post(api, "/configs", "key-1", BODY) for _ in range(10)))
    assert await configs(api) == 1
    assert {status for status, *_ in answers} <= {201, 409}
    refused = {body["error_code"] for status, body, _ in answers if status == 409}
    assert refused <= {"idempotency_in_flight"}


async def test_what_is_wrong_in_itself_is_told_again_and_what_may_pass_is_tried_again(api: Api) -> None:
    wrong = BODY | {"config_yaml": 5}
    assert [(await post(api, "/configs", "w", wrong))[::2] for _ in range(2)] == [(422, False), (422, True)]
    config = await api.config()
    path = f"/configs/{config}/run?tag=once"
    await api.ask("POST", "/api/v1" + path)
    assert [(await post(api, path, "t", {}))[::2] for _ in range(2)] == [(409, False), (409, False)]


async def test_the_body_can_state_the_key_of_an_execution(api: Api) -> None:
    """As the documented API has it; the header goes with it, or says the same."""
    body = {"config_id": await api.config(), "idempotency_key": "run-1"}
    first, again = [await post(api, "/executions", None, body) for _ in range(2)]
    assert (first[0], again) == (201, (201, first[1], True))
    assert (await post(api, "/executions", "run-1", body))[1] == first[1]
    status, problem, _ = await post(api, "/executions", "run-2", body)
    assert (status, problem["error_code"]) == (400, "malformed_request")
    assert (await api.ask("GET", "/api/v1/executions"))[1]["total"] == 1


@pytest.mark.parametrize("key", ["", '""', "a b", "x" * 256, "ä"])
async def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    status, problem, _ = await post(api, "/configs", key, BODY)
    assert (status, problem["error_code"]) == (400, "invalid_idempotency_key")


async def test_an_answer_with_a_secret_is_not_kept(api: Api) -> None:
    """A repeat learns where the key is, and not the key; nor does whoever reads the database."""
    body = {"name": "x", "scopes": ["*:read"]}
    status, made, _ = await post(api, "/keys", "k", body)
    assert status == 201
    status, problem, _ = await post(api, "/keys", "k", body)
    assert (status, problem["error_code"]) == (409, "answer_not_kept")
    assert f"/api/v1/keys/{made['id']}" in problem["detail"]
    assert made["key"] not in str(api.world.idempotency_records)
    assert (await api.ask("GET", "/api/v1/keys"))[1]["total"] == 1


async def test_a_body_that_is_too_large_is_refused_as_ever() -> None:
    async with serving(HttpSettings(max_body_bytes=100)) as api:
        status, problem, _ = await post(api, "/configs", "k", BODY | {"description": "x" * 200})
        assert (status, problem["error_code"]) == (413, "body_too_large")


async def test_a_key_is_its_principals_own() -> None:
    """Nobody reads what another was answered by guessing the key."""
    async with serving(HttpSettings(needs_keys=True)) as api:
        one, other = (bearing(issued(api.world, "*:write")[1]) for _ in range(2))
        first = await post(api, "/configs", "k", BODY, **one)
        second = await post(api, "/configs", "k", BODY, **other)
        assert (first[0], second[0], second[2]) == (201, 201, False)
        assert first[1]["id"] != second[1]["id"]
        assert (await post(api, "/configs", "k", BODY))[0] == 401


async def test_reading_and_searching_take_no_notice_of_a_key(api: Api) -> None:
    for _ in range(2):
        answered = await post(api, "/configs/validate", "k", {"config_yaml": "routes: {}"})
        assert answered[::2] == (200, False)
