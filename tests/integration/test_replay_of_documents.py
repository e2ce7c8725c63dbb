"""Documents that were taken in are replayed on the embedded stack, from each of their stages."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.served import Served, segments_in, serving

pytestmark = pytest.mark.slow

REPLAYED = "/executions/{}/replay"


def docs(folder: Path) -> Path:
    folder.mkdir()
    for name in ("wings", "engines", "hulls"):
        paragraphs = "\n\n".join(f"The {name} number {n} are made of wood and steel." * 8 for n in range(4))
        (folder / f"{name}.md").write_text(f"# About {name}\n\n{paragraphs}\n", encoding="utf-8")
    return folder


def over(served: Served, name: str, seconds: float = 60) -> dict[str, Any]:
    """The execution once it has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        execution: dict[str, Any] = served.get(f"/executions/{name}")
        if execution["status"] != "running":
            return execution
        time.sleep(0.1)
    raise AssertionError(f"{name} does not end: {served.log.read_text(encoding='utf-8')}")


def segments_embedded(served: Served, execution_id: str, least: int) -> int:
    """How many messages of segments the route ``embed`` completed in an execution, once lineage tells of so many."""
    until = time.monotonic() + 20
    while True:
        routes = served.get(f"/executions/{execution_id}/routes")["routes"]
        completed = sum(route["completed"] for route in routes if route["route_id"] == "embed")
        if completed >= least or time.monotonic() > until:
            return completed
        time.sleep(0.1)


def test_each_stage_of_documents_runs_again_to_the_index(tmp_path: Path) -> None:
    """The dry run says so before; what the index holds is the same, made anew by the replay."""
    with serving(tmp_path / "data", docs(tmp_path / "docs"), tmp_path / "log") as served:
        served.wait_until_greeted()
        (parent,) = served.executions()
        segments = parent["messages"]["done"] - 1 - 2 * 3
        assert segments_embedded(served, parent["id"], segments) == segments >= 3
        for number, (stage, to_route, enters) in enumerate(
            [
                ("markdown", None, "segment"),
                ("read/markdown", "segment", "segment"),
                ("segments", None, "segment"),
                ("segments", "embed", "segment"),
                ("segments", "segment", "segment"),
            ]
        ):
            body = {"from_stage": stage, "tag": f"replay-{number}"} | (
                {"to_route": to_route} if to_route else {}
            )
            plan = served.post(REPLAYED.format(parent["id"]), body | {"dry_run": True})
            assert (plan["is_replayable"], plan["objects_found"]) == (True, 3), plan
            assert plan["enters_route"] == enters
            started = served.post(REPLAYED.format(parent["id"]), body)
            ended = over(served, started["id"])
            assert (ended["status"], ended["messages"]["dead"]) == ("completed", 0)
            assert ended["messages"]["done"] == 1 + 3 + segments
            assert segments_embedded(served, started["id"], segments) == segments
            found = served.post("/search", {"query": "wings of wood and steel", "limit": 3})["results"]
            assert {result["execution_id"] for result in found} == {started["id"]}
        assert served.stop() == 0
    found_in = segments_in(tmp_path / "data")
    assert all(is_current for _, is_current, *_ in found_in)
    assert len(found_in) >= segments


def test_a_replay_survives_a_power_cut(tmp_path: Path) -> None:
    """Killed in the middle, it goes on at the next start, and the index is whole."""
    folder = docs(tmp_path / "docs")
    with serving(tmp_path / "data", folder, tmp_path / "log") as served:
        served.wait_until_greeted()
        (parent,) = served.executions()
        segments = parent["messages"]["done"] - 1 - 2 * 3
        started = served.post(REPLAYED.format(parent["id"]), {"from_stage": "markdown", "tag": "again"})
        served.kill()
    with serving(tmp_path / "data", folder, tmp_path / "log-2") as served:
        ended = over(served, "again")
        assert (ended["id"], ended["status"], ended["messages"]["dead"]) == (started["id"], "completed", 0)
        assert ended["messages"]["done"] == 1 + 3 + segments
        assert served.stop() == 0
    found_in = segments_in(tmp_path / "data")
    assert all(is_current for _, is_current, *_ in found_in)
    assert len(found_in) >= segments
