"""`factflow lineage` against the API itself."""

from __future__ import annotations

import json
from pathlib import Path

from adapters.memory.lineage import MemoryLineage
from tests.http_server import Api, World, serving
from tests.integration.test_cli_with_api import api, factflow, stored

__all__ = ["api"]  # a fixture
BATCH = "01890a5d-ac96-774b-bcce-b302099a8057"


async def entries(api: Api) -> list[str]:
    """The correlation ids of the run ``t``, in the order of the flow."""
    _, out, _ = await factflow(api, "lineage", "list", "--execution", "t", "--output", "json")
    return [entry["correlation_id"] for entry in json.loads(out)["entries"]]


async def test_the_way_between_two_entries_is_shown(api: Api, tmp_path: Path) -> None:
    """From the first named to the second."""
    await stored(api, tmp_path, "echo")
    await factflow(api, "config", "run", "echo", "--tag", "t", "--wait")
    first, second = await entries(api)
    code, out, _ = await factflow(api, "lineage", "path", second, first)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [second, first]
    code, _, err = await factflow(api, "lineage", "path", first, BATCH)
    assert (code, "(lineage_entry_not_found)" in err) == (4, True)


async def test_figures_name_every_pipeline_adapter(api: Api, tmp_path: Path) -> None:
    """With its counts; nothing is said of a gap that is not there."""
    await stored(api, tmp_path, "echo")
    await factflow(api, "config", "run", "echo", "--tag", "t", "--wait")
    code, out, err = await factflow(api, "lineage", "stats", "--execution", "t")
    assert (code, err) == (0, "")
    assert [line.split()[:5] for line in out.splitlines()[1:]] == [
        ["first", "echo", "1", "1", "0"],
        ["second", "echo", "1", "1", "0"],
    ]


async def test_a_gap_is_told_and_repaired(tmp_path: Path) -> None:
    """The command that does it is named."""
    world = World(lineage=MemoryLineage(capacity=0))
    async with serving(world=world) as api:
        await stored(api, tmp_path, "echo")
        await factflow(api, "config", "run", "echo", "--tag", "t", "--wait")
        world.lineage.capacity = 100
        _, _, err = await factflow(api, "lineage", "stats", "--execution", "t")
        assert "lineage lacks 2 of 2 settled messages; factflow lineage repair --execution t" in err
        code, out, _ = await factflow(api, "lineage", "repair", "--execution", "t")
        assert code == 0
        assert "messages      2" in out
        _, _, err = await factflow(api, "lineage", "stats", "--execution", "t")
        assert "lacks" not in err


async def test_failures_are_listed_or_grouped(api: Api, tmp_path: Path) -> None:
    """By the execution's tag."""
    await stored(api, tmp_path, "reject")
    await factflow(api, "config", "run", "reject", "--tag", "t", "--wait")
    (failed,) = await entries(api)
    _, out, _ = await factflow(api, "lineage", "failures", "--execution", "t")
    assert out.splitlines()[1].startswith(failed)
    _, out, _ = await factflow(api, "lineage", "failures", "--execution", "t", "--grouped")
    assert out.splitlines()[1].split()[:3] == ["1", "reject", "invalid"]
    assert out.splitlines()[1].endswith(failed)


async def test_an_export_is_written_as_it_comes(api: Api, tmp_path: Path) -> None:
    """One event a line."""
    await stored(api, tmp_path, "echo")
    await factflow(api, "config", "run", "echo", "--tag", "t", "--wait")
    code, out, _ = await factflow(api, "lineage", "export", "--execution", "t")
    assert code == 0
    assert [json.loads(line)["eventType"] for line in out.splitlines()] == [
        "START",
        *["START", "COMPLETE"] * 2,
        "COMPLETE",
    ]
    assert (await factflow(api, "lineage", "export", "--execution", "none"))[0] == 4


async def test_a_batch_that_never_was_is_empty(api: Api) -> None:
    """And no error."""
    code, out, err = await factflow(api, "lineage", "batch", BATCH)
    assert (code, out, err) == (0, "", "no lineage entries\n")
