"""`factflow` against the API itself, over in-memory adapters: both sides mean the same by every field."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.http_server import PIPELINE, Api, serving

MAIN = "import sys; from entrypoints.cli.main import main; sys.exit(main())"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def factflow(api: Api, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        MAIN,
        "--url",
        api.url,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def stored(api: Api, folder: Path, adapter: str) -> None:
    """A config named after its pipeline adapter."""
    file = folder / f"{adapter}.yaml"
    file.write_text(PIPELINE % adapter, encoding="utf-8")
    code, out, err = await factflow(api, "config", "create", "-f", str(file))
    assert (code, err) == (0, "")
    assert f"name         {adapter}\n" in out


async def test_a_config_is_stored_run_by_name_and_waited_for(api: Api, tmp_path: Path) -> None:
    """And the execution is then found by its tag."""
    await stored(api, tmp_path, "echo")
    code, out, _ = await factflow(
        api, "execution", "run", "echo", "--tag", "monday", "--set", "n=2", "--wait"
    )
    assert (code, out) == (0, "completed: 2 done, 0 skipped, 0 dead\n")
    code, out, _ = await factflow(api, "execution", "get", "monday")
    assert code == 0
    assert "status               completed\n" in out
    _, out, _ = await factflow(api, "execution", "list", "--status", "completed")
    assert out.splitlines()[1].split()[1:4] == ["completed", "2/2", "0"]
    _, out, _ = await factflow(api, "execution", "dag", "monday")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["first", "echo", "second"],
        ["second", "echo", "-"],
    ]


async def test_a_run_that_fails_is_exit_code_1_and_its_reason_is_found(api: Api, tmp_path: Path) -> None:
    """With the command that tells why."""
    await stored(api, tmp_path, "reject")
    code, out, err = await factflow(api, "config", "run", "reject", "--tag", "bad", "--wait")
    assert (code, out) == (1, "failed: 0 done, 0 skipped, 1 dead\n")
    assert "factflow execution dead-letters" in err
    code, out, _ = await factflow(api, "execution", "dead-letters", "bad")
    assert code == 0
    assert out.splitlines()[1].endswith("this message is not to be had")


async def test_a_run_that_is_cancelled_ends_the_waiting(api: Api, tmp_path: Path) -> None:
    """Exit code 1, and cancelling again is a conflict with its state."""
    await stored(api, tmp_path, "wait")
    await factflow(api, "config", "run", "wait", "--tag", "slow")
    waiting = asyncio.create_task(factflow(api, "execution", "wait", "slow"))
    await asyncio.sleep(0.5)
    code, out, _ = await factflow(api, "execution", "cancel", "slow")
    assert (code, out) == (0, "the execution was running and is cancelled\n")
    code, out, _ = await waiting
    assert (code, out.split(":")[0]) == (1, "cancelled")
    code, _, err = await factflow(api, "execution", "cancel", "slow")
    assert code == 2
    assert "(status_change_not_allowed)" in err


async def test_a_broken_config_is_stored_and_does_not_run(api: Api, tmp_path: Path) -> None:
    """Every finding is told, when it is stored and when it is run."""
    file = tmp_path / "broken.yaml"
    file.write_text(PIPELINE % "no_such_adapter", encoding="utf-8")
    code, out, err = await factflow(api, "config", "create", "-f", str(file))
    assert code == 0
    assert "is_runnable  no" in out
    assert "error E103" in err
    code, _, err = await factflow(api, "config", "run", "broken")
    assert code == 2
    assert "(config_not_runnable)" in err
    assert "error E103" in err
    file.write_text("routes: [", encoding="utf-8")
    code, _, err = await factflow(api, "config", "edit", "broken", "-f", str(file))
    assert code == 2
    assert "line 1" in err


async def test_a_config_is_edited_and_deleted(api: Api, tmp_path: Path) -> None:
    """What was deleted is listed among the inactive ones."""
    await stored(api, tmp_path, "echo")
    code, out, _ = await factflow(
        api, "config", "edit", "echo", "-f", str(tmp_path / "echo.yaml"), "--name", "new"
    )
    assert code == 0
    assert "version      2\n" in out
    assert (await factflow(api, "config", "get", "new"))[1] == PIPELINE % "echo"
    assert (await factflow(api, "config", "delete", "new"))[0] == 0
    assert (await factflow(api, "config", "list"))[2] == "no configs\n"
    _, out, _ = await factflow(api, "config", "list", "--inactive")
    assert out.splitlines()[1].split()[1] == "new"


async def test_an_empty_index_finds_nothing_and_says_so(api: Api) -> None:
    """Neither is an error."""
    for mode in ("semantic", "keyword", "hybrid"):
        assert await factflow(api, "search", mode, "a word") == (0, "", "nothing was found\n")
    for how in ("--stream", "--no-stream"):
        code, out, _ = await factflow(api, "chat", how, "Why?")
        assert code == 0
        assert out.strip()


async def test_what_the_api_refuses_is_told_field_by_field(api: Api) -> None:
    """A query can be too long."""
    code, _, err = await factflow(api, "search", "x" * 20_000)
    assert code == 2
    assert "query" in err


async def test_health_is_told(api: Api) -> None:
    """For people and for programs."""
    code, out, _ = await factflow(api, "system", "health", "--debug")
    assert code == 0
    assert "database" in out
    assert json.loads((await factflow(api, "--output", "json", "system", "health"))[1])["status"] == "healthy"
