"""Indexes over HTTP: as documented, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.http_server import Api, World, serving

INDEXES = "/api/v1/indexes"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    world = World()
    await world.index("bees", "Bees gather nectar.")
    async with serving(world=world) as api:
        yield api


async def test_an_index_is_made_read_measured_rebuilt_and_dropped(api: Api) -> None:
    status, made = await api.ask("POST", INDEXES, json={"model_name": "words"})
    assert (status, made["index_type"], made["parameters"], made["row_count"]) == (
        201,
        "ivfflat",
        {"lists": 1},
        1,
    )
    assert made.keys() == {
        "index_name", "model_name", "index_type", "row_count", "size_bytes", "size_pretty", "parameters",
        "scan_count", "is_usable",
    }  # fmt: skip
    path = f"{INDEXES}/{made['index_name']}"
    assert await api.ask("GET", path) == (200, made)
    assert (await api.ask("GET", f"{path}/recall", params={"sample": 3}))[1]["recall"] == 1.0
    assert await api.ask("POST", f"{path}/rebuild") == (200, made)
    _, listed = await api.ask("GET", INDEXES)
    assert (listed["indexes"], listed["total"], listed["has_more"]) == ([made], 1, False)
    assert (await api.ask("DELETE", path))[0] == 204
    for method, where in (
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/rebuild"),
        ("GET", f"{path}/recall"),
    ):
        status, problem = await api.ask(method, where)
        assert (status, problem["error_code"]) == (404, "index_not_found")


async def test_advice_is_given_and_nothing_is_done(api: Api) -> None:
    """The same as management would do without being asked to do it."""
    status, advised = await api.ask("GET", f"{INDEXES}/recommendations")
    _, would = await api.ask("POST", f"{INDEXES}/auto-manage", json={"dry_run": True})
    assert (status, advised["recommendations"]) == (200, would["results"])
    assert (advised["total"], advised["actionable"]) == (1, 0)
    assert (await api.ask("GET", INDEXES))[1]["total"] == 0


async def test_management_tells_of_every_slot(api: Api) -> None:
    status, told = await api.ask("POST", f"{INDEXES}/auto-manage", json={"dry_run": True})
    assert (status, told["total_count"], told["applied_count"], told["dry_run"]) == (200, 1, 0, True)
    (slot,) = told["results"]
    assert (slot["model_name"], slot["action"], slot["applied"], slot["index_info"]) == (
        "words",
        "keep",
        False,
        None,
    )
    assert slot["reason"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model_name": "unknown"}, 400, "index_slot_unknown"),
        ({"model_name": "words", "parameters": {"m": 16}}, 400, "index_invalid"),
        ({"model_name": "words", "index_type": "hnsw", "parameters": {"m": 1}}, 400, "index_invalid"),
        ({"model_name": "words", "index_type": "tree"}, 422, "validation_failed"),
        ({"model_name": "words", "parameters": {"lists": "many"}}, 422, "validation_failed"),
        ({"model_name": 3}, 422, "validation_failed"),
        ({}, 422, "validation_failed"),
    ],
)
async def test_what_cannot_be_built_is_said(api: Api, body: dict[str, Any], status: int, code: str) -> None:
    answered, problem = await api.ask("POST", INDEXES, json=body)
    assert (answered, problem["error_code"]) == (status, code)


async def test_a_slot_has_one_index(api: Api) -> None:
    body = {"model_name": "words", "index_type": "hnsw"}
    assert (await api.ask("POST", INDEXES, json=body))[0] == 201
    status, problem = await api.ask("POST", INDEXES, json=body)
    assert (status, problem["error_code"]) == (400, "index_exists")


@pytest.mark.parametrize("query", [{"sample": "0"}, {"sample": "501"}, {"limit": "0"}, {"limit": "x"}])
async def test_a_sample_keeps_to_its_bounds(api: Api, query: dict[str, str]) -> None:
    assert (await api.ask("GET", f"{INDEXES}/any/recall", params=query))[0] == 422
