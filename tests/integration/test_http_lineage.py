"""Lineage over HTTP, of a run of two routes, and how an execution goes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.memory.lineage import MemoryLineage
from tests.http_server import Api, World, serving

LINEAGE = "/api/v1/lineage"
DOCUMENTED = {
    "id", "correlation_id", "parent_correlation_id", "collected_into", "replay_batch_id", "execution_id", "route_id", "adapter_name",
    "adapter_index", "stage_name", "stage_status", "stage_input_hash", "started_at", "completed_at", "duration_ms",
    "metadata", "error_info",
}  # fmt: skip


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def run(api: Api, adapter: str = "echo") -> str:
    execution_id = await api.execution(adapter)
    await api.ended(execution_id)
    await api.world.lineage.flush()
    return execution_id


async def test_an_entry_is_written_for_every_step_and_read_by_its_correlation_id(api: Api) -> None:
    execution_id = await run(api)
    _, page = await api.ask("GET", f"{LINEAGE}?execution_id={execution_id}")
    assert [entry["route_id"] for entry in page["entries"]] == ["first", "second"]
    assert (page["total"], page["has_more"]) == (2, False)
    first, second = page["entries"]
    assert first.keys() >= DOCUMENTED
    assert (first["stage_status"], first["parent_correlation_id"]) == ("completed", None)
    assert second["parent_correlation_id"] == first["correlation_id"]
    assert await api.ask("GET", f"{LINEAGE}/{second['correlation_id']}") == (200, second)


async def test_an_entry_is_traced_both_ways(api: Api) -> None:
    execution_id = await run(api)
    _, page = await api.ask("GET", f"{LINEAGE}?execution_id={execution_id}")
    first, second = page["entries"]
    _, chain = await api.ask("GET", f"{LINEAGE}/{first['id']}/chain")
    assert (chain["entry"], chain["ancestors"], chain["descendants"]) == (first, [], [second])
    _, chain = await api.ask("GET", f"{LINEAGE}/{second['id']}/chain")
    assert (chain["ancestors"], chain["descendants"], chain["total"]) == ([first], [], 2)
    _, children = await api.ask("GET", f"{LINEAGE}/{first['id']}/children")
    assert children == {
        "correlation_id": first["correlation_id"],
        "entries": [second],
        "total": 1,
        "next_cursor": None,
    }
    # A page that is full may be the last one.
    assert await api.ask("GET", f"{LINEAGE}/{first['id']}/children?limit=1") == (200, children)
    _, above = await api.ask("GET", f"{LINEAGE}/{second['id']}/ancestors")
    assert above == {"correlation_id": second["correlation_id"], "entries": [first], "total": 1}
    _, below = await api.ask("GET", f"{LINEAGE}/{first['id']}/descendants")
    assert below == {"correlation_id": first["correlation_id"], "entries": [second], "total": 1}
    _, path = await api.ask("GET", f"{LINEAGE}/path?from={second['id']}&to={first['id']}")
    assert (path["entries"], path["turning_point"], path["total"]) == ([second, first], first["id"], 2)


async def test_entries_that_nothing_joins_have_no_path(api: Api) -> None:
    for _ in range(2):
        await run(api)
    _, page = await api.ask("GET", f"{LINEAGE}?is_root=true")
    one, other = (entry["id"] for entry in page["entries"])
    status, problem = await api.ask("GET", f"{LINEAGE}/path?from={one}&to={other}")
    assert (status, problem["error_code"]) == (404, "lineage_path_not_found")


async def test_pages_follow_each_other_by_cursor(api: Api) -> None:
    for _ in range(3):
        await run(api)
    _, whole = await api.ask("GET", LINEAGE)
    for path in (f"{LINEAGE}?limit=4", f"{LINEAGE}?limit=4&sort_order=desc"):
        _, first = await api.ask("GET", path)
        _, rest = await api.ask("GET", f"{path}&cursor={first['next_cursor']}")
        expected = whole["entries"][::-1] if "desc" in path else whole["entries"]
        assert first["entries"] + rest["entries"] == expected
        assert (first["has_more"], rest["next_cursor"], rest["total"]) == (True, None, 6)
        assert (rest["has_more"], rest["is_total_exact"]) == (False, True)


async def test_a_last_page_that_is_full_says_that_it_is_the_last(api: Api) -> None:
    """Also behind a cursor, where the total counts what came before."""
    execution_id = await run(api)
    await run(api)
    for path, more in ((LINEAGE, 3), (f"/api/v1/executions/{execution_id}/lineage", 1)):
        _, page = await api.ask("GET", f"{path}?limit=1")
        for _ in range(more):
            assert page.get("has_more", True)
            _, page = await api.ask("GET", f"{path}?limit=1&cursor={page['next_cursor']}")
            assert len(page["entries"]) == 1
        assert (page.get("has_more", False), page["next_cursor"]) == (False, None)


@pytest.mark.parametrize("cursor", ["nonsense", "_", "1_2", f"{'f' * 40}_{'0' * 32}"])
async def test_a_cursor_of_no_page_is_refused(api: Api, cursor: str) -> None:
    for path in (LINEAGE, f"{LINEAGE}/failures"):
        status, problem = await api.ask("GET", f"{path}?cursor={cursor}")
        assert (status, problem["error_code"]) == (400, "invalid_lineage_query")


async def test_a_cursor_goes_with_the_order_of_starts_alone(api: Api) -> None:
    await run(api)
    _, page = await api.ask("GET", f"{LINEAGE}?limit=1")
    query = f"limit=1&sort_by=route_id&cursor={page['next_cursor']}"
    status, problem = await api.ask("GET", f"{LINEAGE}?{query}")
    assert (status, problem["error_code"]) == (400, "invalid_lineage_query")


async def test_failures_are_told_with_their_errors(api: Api) -> None:
    await run(api)
    execution_id = await run(api, "reject")
    for query in ("", f"?execution_id={execution_id}"):
        _, page = await api.ask("GET", f"{LINEAGE}/failures{query}")
        (entry,) = page["entries"]
        assert (entry["execution_id"], entry["stage_status"]) == (execution_id, "failed")
        assert "not to be had" in str(entry["error_info"])
    status, problem = await api.ask("GET", f"{LINEAGE}/failures?execution_id=nobody")
    assert (status, problem["error_code"]) == (404, "execution_not_found")


async def test_failures_are_grouped_by_error(api: Api) -> None:
    await run(api, "reject")
    execution_id = await run(api, "reject")
    for query, count in (("", 2), (f"?execution_id={execution_id}", 1)):
        _, found = await api.ask("GET", f"{LINEAGE}/failures/groups{query}")
        (group,) = found["groups"]
        assert (group["count"], group["adapter_name"], group["error_code"]) == (count, "reject", "invalid")
        assert len(group["correlation_ids"]) == count
    status, problem = await api.ask("GET", f"{LINEAGE}/failures/groups?execution_id=nobody")
    assert (status, problem["error_code"]) == (404, "execution_not_found")


async def test_an_execution_is_told_in_figures_and_without_a_gap(api: Api) -> None:
    execution_id = await run(api)
    _, stats = await api.ask("GET", f"{LINEAGE}/stats?execution_id={execution_id}")
    assert [(one["route_id"], one["completed"], one["failed"]) for one in stats["routes"]] == [
        ("first", 1, 0),
        ("second", 1, 0),
    ]
    for one in (*stats["routes"], *stats["adapters"]):
        assert 0 <= one["p50_ms"] <= one["p95_ms"] <= one["p99_ms"]
    assert [(one["route_id"], one["adapter_name"], one["count"]) for one in stats["adapters"]] == [
        ("first", "echo", 1),
        ("second", "echo", 1),
    ]
    assert (stats["gap"]["settled"], stats["gap"]["missing"]) == (2, 0)


async def test_what_was_dropped_is_shown_and_repaired_once() -> None:
    """From the ledger, joined to what came before and after, and marked."""
    world = World(lineage=MemoryLineage(capacity=0))
    async with serving(world=world) as api:
        execution_id = await run(api)
        assert world.lineage.dropped == 2
        _, gap = await api.ask("GET", f"{LINEAGE}/gap?execution_id={execution_id}")
        assert (gap["settled"], gap["missing"]) == (2, 2)
        world.lineage.capacity = 1000
        status, repaired = await api.ask("POST", f"{LINEAGE}/repair?execution_id={execution_id}")
        assert (status, repaired) == (200, {"execution_id": execution_id, "messages": 2, "entries": 2})
        _, gap = await api.ask("GET", f"{LINEAGE}/gap?execution_id={execution_id}")
        assert gap["missing"] == 0
        _, page = await api.ask("GET", f"{LINEAGE}?execution_id={execution_id}&sort_by=route_id")
        first, second = page["entries"]
        assert second["parent_correlation_id"] == first["correlation_id"]
        assert (first["metadata"], first["duration_ms"]) == ({"repaired": True}, None)
        _, repaired = await api.ask("POST", f"{LINEAGE}/repair?execution_id={execution_id}")
        assert (repaired["messages"], repaired["entries"]) == (0, 0)


@pytest.mark.parametrize("what", ["stats", "gap", "export"])
async def test_reports_need_an_execution_that_is_there(api: Api, what: str) -> None:
    status, problem = await api.ask("GET", f"{LINEAGE}/{what}?execution_id=nobody")
    assert (status, problem["error_code"]) == (404, "execution_not_found")
    status, problem = await api.ask("GET", f"{LINEAGE}/{what}")
    assert (status, "execution_id" in problem["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("query", "routes"),
    [
        ("route_id=second", ["second"]),
        ("adapter_name=echo&sort_order=desc", ["second", "first"]),
        ("is_root=true", ["first"]),
        ("is_root=false", ["second"]),
        ("status=failed", []),
        ("document_id=x", []),
        ("url=x", []),
        ("started_after=2000-01-01T00:00:00", ["first", "second"]),
        ("started_before=2000-01-01T00:00:00Z", []),
        ("sort_by=route_id&sort_order=desc&limit=1", ["second"]),
        ("offset=1", ["second"]),
    ],
)
async def test_lists_are_narrowed_and_sorted(api: Api, query: str, routes: list[str]) -> None:
    await run(api)
    status, page = await api.ask("GET", f"{LINEAGE}?{query}")
    assert (status, [entry["route_id"] for entry in page["entries"]]) == (200, routes)


@pytest.mark.parametrize(
    "query",
    [
        "sort_by=id",
        "sort_order=up",
        "status=done",
        "is_root=perhaps",
        "started_after=monday",
        "execution_id=x",
    ],
)
async def test_a_list_that_cannot_be_is_not_valid(api: Api, query: str) -> None:
    status, problem = await api.ask("GET", f"{LINEAGE}?{query}")
    assert (status, problem["errors"][0]["path"]) == (422, query.partition("=")[0])


async def test_an_unknown_entry_is_not_found(api: Api) -> None:
    for path in ("", "/chain", "/children", "/ancestors", "/descendants"):
        status, problem = await api.ask("GET", f"{LINEAGE}/01890a5d-ac96-774b-bcce-b302099a8057{path}")
        assert (status, problem["error_code"]) == (404, "lineage_entry_not_found")
    batch = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert await api.ask("GET", f"{LINEAGE}/batch/{batch}") == (
        200,
        {"batch_id": batch, "entries": [], "total": 0, "is_total_exact": True, "next_cursor": None},
    )


async def test_an_execution_is_shown_as_a_graph(api: Api) -> None:
    execution_id = await run(api)
    _, dag = await api.ask("GET", f"/api/v1/executions/{execution_id}/dag")
    assert dag == {
        "execution_id": execution_id,
        "init_queue": "one",
        "nodes": [
            {"route_id": "first", "name": "first", "adapters": ["echo"]},
            {"route_id": "second", "name": "second", "adapters": ["echo"]},
        ],
        "edges": [{"from_route": "first", "to_route": "second", "queue": "two"}],
    }


async def test_routes_and_lineage_of_an_execution_are_told_by_id_and_by_tag(api: Api) -> None:
    execution_id = await api.execution(tag="mine")
    await api.ended("mine")
    for name in (execution_id, "mine"):
        _, routes = await api.ask("GET", f"/api/v1/executions/{name}/routes")
        assert [(route["route_id"], route["completed"]) for route in routes["routes"]] == [
            ("first", 1),
            ("second", 1),
        ]
        _, lineage = await api.ask("GET", f"/api/v1/executions/{name}/lineage?limit=1")
        assert (lineage["execution_id"], len(lineage["entries"]), lineage["total"]) == (execution_id, 1, 2)


async def test_a_dashboard_is_told_everything_at_once(api: Api) -> None:
    execution_id = await run(api, "reject")
    status, told = await api.ask("GET", f"/api/v1/executions/{execution_id}/monitor")
    assert (status, told["execution"]["id"]) == (200, execution_id)
    assert told["metrics"] == {"total": 1, "completed": 0, "failed": 1, "processing": 0}
    routes: dict[str, Any] = {route["route_id"]: route["failed"] for route in told["routes"]}
    assert routes == {"first": 1, "second": 0}
    assert [node["route_id"] for node in told["dag"]["nodes"]] == ["first", "second"]


@pytest.mark.parametrize("what", ["dag", "routes", "lineage", "monitor"])
async def test_an_unknown_execution_has_none_of_it(api: Api, what: str) -> None:
    status, problem = await api.ask("GET", f"/api/v1/executions/nobody/{what}")
    assert (status, problem["error_code"]) == (404, "execution_not_found")
