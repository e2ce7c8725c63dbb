"""Dead letters over HTTP: reading, redriving and purging them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.http_server import Api, serving

LETTERS = "/api/v1/dead-letters"
EXECUTIONS = "/api/v1/executions"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def dead(api: Api) -> tuple[str, str]:
    """An execution that has failed, and its dead init message."""
    execution_id = await api.execution("reject")
    await api.ended(execution_id)
    _, page = await api.ask("GET", f"{EXECUTIONS}/{execution_id}/dead-letters")
    return execution_id, page["dead_letters"][0]["message_id"]


async def ended(api: Api, location: str) -> dict[str, Any]:
    """A redrive of many when it is over."""
    for _ in range(300):
        status, redrive = await api.ask("GET", location)
        assert status == 200
        if redrive["status"] != "running":
            return dict(redrive)
        await asyncio.sleep(0.01)
    raise AssertionError("the redrive does not end")


async def test_a_dead_letter_is_listed_and_read(api: Api) -> None:
    execution_id, message_id = await dead(api)
    status, page = await api.ask("GET", LETTERS)
    assert status == 200
    assert page | {"dead_letters": ()} == {
        "dead_letters": (), "total": 1, "is_total_exact": True, "limit": 100, "offset": 0, "has_more": False,
        "next_cursor": None,
    }  # fmt: skip
    status, letter = await api.ask("GET", f"{LETTERS}/{message_id}")
    assert (status, letter) == (200, page["dead_letters"][0])
    assert (letter["execution_id"], letter["route_id"], letter["payload"]) == (
        execution_id,
        "first",
        {"n": 1},
    )
    assert (letter["adapter_name"], letter["stage_name"], letter["attempts"]) == ("reject", "reject", 1)
    assert (letter["error"]["code"], letter["purged_at"]) == ("invalid", None)


async def test_pages_are_followed_by_their_cursors(api: Api) -> None:
    letters = [(await dead(api))[1] for _ in range(5)]
    seen: list[str] = []
    query = "limit=2"
    while query:
        _, page = await api.ask("GET", f"{LETTERS}?{query}")
        assert (page["total"], page["has_more"]) == (5, page["next_cursor"] is not None)
        seen += [letter["message_id"] for letter in page["dead_letters"]]
        query = f"limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert seen == letters


async def test_filters_restrict_the_list(api: Api) -> None:
    execution_id, message_id = await dead(api)
    await dead(api)
    for query, count in (
        (f"execution_id={execution_id}", 1),
        ("route_id=first&adapter_name=reject&stage_name=reject&error_code=invalid", 2),
        ("error_code=timeout", 0),
        ("dead_before=2020-01-01T00:00:00Z", 0),
        ("dead_after=2020-01-01T00:00:00", 2),
    ):
        _, page = await api.ask("GET", f"{LETTERS}?{query}")
        assert (query, page["total"], len(page["dead_letters"])) == (query, count, count)
    _, page = await api.ask("GET", f"{EXECUTIONS}/{execution_id}/dead-letters?error_code=invalid")
    assert [letter["message_id"] for letter in page["dead_letters"]] == [message_id]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=nonsense", 400, "invalid_cursor"),
        ("cursor=MjAyNi0wMS0wMSB4", 400, "invalid_cursor"),
        ("cursor=%00", 400, "malformed_request"),
        ("route_id=", 400, "invalid_dead_letter_filter"),
        ("error_code=%00", 400, "malformed_request"),
        ("error_code=%07", 400, "invalid_dead_letter_filter"),
        ("adapter_name=" + "x" * 201, 400, "invalid_dead_letter_filter"),
        ("execution_id=tag", 422, "validation_failed"),
        ("dead_after=yesterday", 422, "validation_failed"),
        ("limit=0", 422, "validation_failed"),
        ("limit=1001", 422, "validation_failed"),
    ],
)
async def test_hostile_filters_are_refused(api: Api, query: str, status: int, code: str) -> None:
    answered, problem = await api.ask("GET", f"{LETTERS}?{query}")
    assert (answered, problem["error_code"]) == (status, code)


async def test_a_redriven_message_fails_its_run_again_in_its_next_generation(api: Api) -> None:
    execution_id, message_id = await dead(api)
    status, redriven = await api.ask("POST", f"{LETTERS}/{message_id}/redrive")
    assert status == 200
    assert redriven == {
        "message_id": message_id, "execution_id": execution_id, "status": "running", "generation": 2,
        "reopened": True,
    }  # fmt: skip
    await api.ended(execution_id)
    _, execution = await api.ask("GET", f"{EXECUTIONS}/{execution_id}")
    assert (execution["status"], execution["generation"], execution["messages"]["dead"]) == ("failed", 2, 1)
    _, letter = await api.ask("GET", f"{LETTERS}/{message_id}")
    assert letter["attempts"] == 2


async def test_what_is_not_there_or_not_dead_is_an_error(api: Api) -> None:
    execution_id = await api.execution("wait")
    running = next(iter(api.world.ledger._rows))
    for method, path in (("GET", ""), ("POST", "/redrive"), ("DELETE", "")):
        status, problem = await api.ask(method, f"{LETTERS}/{uuid4()}{path}")
        assert (status, problem["error_code"]) == (404, "dead_letter_not_found")
        status, problem = await api.ask(method, f"{LETTERS}/{running}{path}")
        assert (status, problem["error_code"]) == (409, "message_not_dead")
    status, _ = await api.ask("GET", f"{EXECUTIONS}/nobody/dead-letters")
    assert status == 404
    status, problem = await api.ask("GET", f"{LETTERS}/redrives/{uuid4()}")
    assert (status, problem["error_code"]) == (404, "redrive_not_found")
    _, page = await api.ask("GET", f"{EXECUTIONS}/{execution_id}/dead-letters")
    assert page["dead_letters"] == []


async def test_a_redrive_without_a_place_is_refused_for_now(api: Api) -> None:
    _, message_id = await dead(api)
    for _ in range(3):
        await api.execution("wait")
    status, problem = await api.ask("POST", f"{LETTERS}/{message_id}/redrive")
    assert (status, problem["error_code"]) == (429, "too_many_concurrent_executions")
    async with api.session.post(f"{api.url}{LETTERS}/redrive", json={"all": True}) as response:
        location = response.headers["location"]
    redrive = await ended(api, location)
    assert (redrive["status"], redrive["messages"], redrive["refused_executions"]) == ("completed", 0, 1)
    assert redrive["refused"][0]["error_code"] == "too_many_concurrent_executions"


async def test_many_are_redriven_by_a_filter(api: Api) -> None:
    execution_id, _ = await dead(api)
    other, _ = await dead(api)
    body = {"execution_id": execution_id, "error_code": "invalid", "dead_after": "2020-01-01T00:00:00Z"}
    async with api.session.post(f"{api.url}{LETTERS}/redrive", json=body) as response:
        begun, location = await response.json(), response.headers["location"]
        assert (response.status, location) == (202, f"{LETTERS}/redrives/{begun['id']}")
    redrive = await ended(api, location)
    assert (redrive["status"], redrive["messages"], redrive["executions"]) == ("completed", 1, 1)
    await api.ended(execution_id)
    generations = [
        (await api.ask("GET", f"{EXECUTIONS}/{one}"))[1]["generation"] for one in (execution_id, other)
    ]
    assert generations == [2, 1]


@pytest.mark.parametrize("act", ["redrive", "purge"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"all": True, "error_code": "invalid"}, 400),
        ({"all": False}, 400),
        ({"all": "yes"}, 422),
        ({"error_code": ""}, 422),
        ({"error_code": "a\0b"}, 422),
        ({"error_code": "a\x07b"}, 400),
        ({"error_code": "x" * 201}, 422),
        ({"dead_after": "2026-01-01T00:00:00"}, 422),
        ({"execution_id": "tag"}, 422),
        ({"message": 1}, 422),
        ([], 422),
    ],
)
async def test_a_wish_that_means_nothing_or_nonsense_does_nothing(
    api: Api, act: str, body: object, status: int
) -> None:
    await dead(api)
    answered, _ = await api.ask("POST", f"{LETTERS}/{act}", json=body)
    assert answered == status
    assert (await api.ask("GET", LETTERS))[1]["total"] == 1


async def test_a_purged_letter_is_read_empty_and_not_redriven(api: Api) -> None:
    execution_id, message_id = await dead(api)
    for _ in range(2):
        assert await api.ask("DELETE", f"{LETTERS}/{message_id}") == (204, None)
    _, letter = await api.ask("GET", f"{LETTERS}/{message_id}")
    assert (letter["payload"], letter["error"]) == ({}, {})
    assert letter["purged_at"] is not None
    status, problem = await api.ask("POST", f"{LETTERS}/{message_id}/redrive")
    assert (status, problem["error_code"]) == (409, "dead_letter_purged")
    assert (await api.ask("GET", LETTERS))[1]["total"] == 0
    _, execution = await api.ask("GET", f"{EXECUTIONS}/{execution_id}")
    assert execution["messages"]["dead"] == 1


async def test_many_are_purged_by_a_filter(api: Api) -> None:
    execution_id, _ = await dead(api)
    await dead(api)
    assert await api.ask("POST", f"{LETTERS}/purge", json={"execution_id": execution_id}) == (
        200,
        {"purged": 1},
    )
    assert await api.ask("POST", f"{LETTERS}/purge", json={"all": True}) == (200, {"purged": 1})
    assert await api.ask("POST", f"{LETTERS}/purge", json={"all": True}) == (200, {"purged": 0})


async def test_those_of_one_execution_are_redriven_by_its_id_or_tag(api: Api) -> None:
    """All of them, or those that the query means; other executions stay as they are."""
    execution_id, _ = await dead(api)
    other, _ = await dead(api)
    path = f"{EXECUTIONS}/{execution_id}/dead-letters/redrive"
    for query, count in (("?error_code=timeout", 0), ("?error_code=invalid&route_id=first", 1), ("", 1)):
        async with api.session.post(f"{api.url}{path}{query}") as response:
            begun, location = await response.json(), response.headers["location"]
            assert (response.status, location) == (202, f"{LETTERS}/redrives/{begun['id']}")
        redrive = await ended(api, location)
        assert (redrive["status"], redrive["messages"]) == ("completed", count)
        await api.ended(execution_id)
    generations = [
        (await api.ask("GET", f"{EXECUTIONS}/{one}"))[1]["generation"] for one in (execution_id, other)
    ]
    assert generations == [3, 1]


async def test_those_of_one_execution_are_purged(api: Api) -> None:
    """A filter that is misspelt or nonsense purges nothing."""
    execution_id, _ = await dead(api)
    await dead(api)
    path = f"{EXECUTIONS}/{execution_id}/dead-letters"
    for query, status in (("?eror_code=a", 422), ("?error_code=%07", 400), ("?dead_before=soon", 422)):
        for method, at in (("DELETE", path), ("POST", f"{path}/redrive")):
            assert (await api.ask(method, at + query))[0] == status
    assert await api.ask("DELETE", f"{path}?error_code=timeout") == (200, {"purged": 0})
    assert await api.ask("DELETE", path) == (200, {"purged": 1})
    assert (await api.ask("GET", LETTERS))[1]["total"] == 1
    for method, at in (("DELETE", ""), ("POST", "/redrive")):
        status, problem = await api.ask(method, f"{EXECUTIONS}/nobody/dead-letters{at}")
        assert (status, problem["error_code"]) == (404, "execution_not_found")
