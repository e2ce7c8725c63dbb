"""The commands of replays against the API itself, over in-memory adapters."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout

import pytest

from entrypoints.cli import reporting
from entrypoints.cli.main import factflow as command_line
from tests.http_server import Api, serving


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A server with one ended execution, tagged ``parent``, that kept two objects."""
    async with serving() as api:
        execution_id = await api.execution(tag="parent")
        await api.ended(execution_id)
        for number in range(2):
            key = f"executions/{execution_id}/first/kept/{number}.json"
            await api.world.storage.write(key, b"{}", metadata={"stage": "kept", "adapter_name": "echo"})
        yield api


async def factflow(api: Api, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, which runs in a thread."""
    with (
        io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") as out,
        io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = await asyncio.to_thread(
            reporting.run, command_line, "factflow", ["--url", api.url, *arguments]
        )
        texts = []
        for stream in (out, err):
            stream.flush()
            stream.seek(0)
            texts.append(stream.read())
        return code, texts[0], texts[1]


async def test_a_replay_is_started_waited_for_and_listed(api: Api) -> None:
    """And found by its tag."""
    how = ["--from-stage", "kept", "--tag", "again", "--wait"]
    code, out, err = await factflow(api, "execution", "replay", "parent", *how)
    assert (code, out) == (0, "completed: 3 done, 0 skipped, 0 dead\n"), err
    code, out, _ = await factflow(api, "execution", "replays", "parent")
    assert code == 0
    assert out.splitlines()[1].split()[1:4] == ["completed", "storage", "0"]
    code, out, _ = await factflow(api, "execution", "replays", "again")
    assert (code, "no replays" in out + _) == (0, True)


async def test_a_detached_replay_prints_its_execution(api: Api) -> None:
    code, out, err = await factflow(
        api, "replay", "parent", "--from-stage", "first/kept", "--to-route", "second"
    )
    assert code == 0, err
    await api.ended(out.strip())
    _, ended = await api.ask("GET", f"/api/v1/executions/{out.strip()}")
    assert ended["messages"]["done"] == 3


async def test_a_dry_run_says_what_would_be_sent_and_where(api: Api) -> None:
    code, out, err = await factflow(api, "execution", "replay", "parent", "--from-stage", "kept", "--dry-run")
    assert (code, err) == (0, "")
    shown = dict(
        line.split(maxsplit=1)
        for line in out.replace("can be replayed", "can").splitlines()
        if " " in line.strip()
    )
    assert (shown["can"], shown["messages"], shown["bytes"]) == ("yes", "2", "4")
    assert "/first/kept/1.json" in out
    _, page = await api.ask("GET", "/api/v1/executions")
    assert page["total"] == 1


async def test_a_dry_run_of_what_cannot_be_made_is_exit_code_1(api: Api) -> None:
    """With the reasons; as JSON for programs."""
    command = ["replay", "parent", "--from-stage", "nothing", "--to-route", "nowhere", "--dry-run"]
    code, out, err = await factflow(api, *command)
    assert code == 1
    assert "can be replayed  no" in out
    assert "error replay_stage_unknown: " in err
    assert "error replay_route_unknown: " in err
    code, out, _ = await factflow(api, *command, "--output", "json")
    assert (code, json.loads(out)["is_replayable"]) == (1, False)


async def test_payloads_are_given_on_the_command_line(api: Api) -> None:
    manual = ["execution", "replay", "parent", "--source", "manual", "--to-route", "second"]
    code, out, _ = await factflow(api, *manual, "--payload", '{"n": 1}', "--payload", '{"n": 2}', "--wait")
    assert (code, out) == (0, "completed: 3 done, 0 skipped, 0 dead\n")
    for wrong in ("nonsense", "[1]"):
        code, _, err = await factflow(api, *manual, "--payload", wrong)
        assert (code, "--payload takes a JSON object" in err) == (2, True)


async def test_a_problem_has_the_exit_code_of_its_kind(api: Api) -> None:
    for arguments, code in [
        (["execution", "replay", "nobody", "--from-stage", "kept"], 4),
        (["execution", "replay", "parent"], 2),
        (["execution", "replay", "parent", "--from-stage", "kept", "--from-path", "x"], 5),
    ]:
        assert (await factflow(api, *arguments))[0] == code
