"""`factflow pipeline`, and pausing executions, against the API itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.http_server import Api, serving
from tests.integration.test_cli_with_api import factflow, stored


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.fixture
async def running(api: Api, tmp_path: Path) -> Api:
    """A server with an execution tagged ``monday`` that waits."""
    await stored(api, tmp_path, "wait")
    code, *_ = await factflow(api, "execution", "run", "wait", "--tag", "monday")
    assert code == 0
    return api


async def rows(api: Api, *arguments: str) -> list[list[str]]:
    """The cells of `pipeline list` as far as the state."""
    code, out, err = await factflow(api, "pipeline", "list", *arguments)
    assert code == 0, err
    return [line.split()[:3] for line in out.splitlines()[1:]]


async def test_a_route_is_paused_everywhere_and_resumed(running: Api) -> None:
    """The list tells which are."""
    assert await rows(running) == [["first", "monday", "running"], ["second", "monday", "running"]]
    code, out, _ = await factflow(running, "pipeline", "pause", "first")
    assert (code, out.startswith("route first in all executions is paused, since ")) == (0, True)
    assert await rows(running) == [["first", "monday", "paused"], ["second", "monday", "running"]]
    code, out, _ = await factflow(running, "pipeline", "resume", "first")
    assert (code, out) == (0, "route first in all executions is not paused any more\n")


async def test_a_route_of_one_execution_is_paused_and_resumed(running: Api) -> None:
    """The others are not asked."""
    code, out, _ = await factflow(running, "pipeline", "pause", "second", "--execution", "monday")
    assert (code, out.startswith("route second of execution ")) == (0, True)
    assert await rows(running, "--execution", "monday", "--offset", "1") == [["second", "monday", "paused"]]
    code, out, _ = await factflow(running, "pipeline", "resume", "second", "--execution", "monday")
    assert (code, out.endswith("is not paused any more\n")) == (0, True)


async def test_an_execution_is_paused_resumed_and_cancelled(running: Api) -> None:
    """The list shows both its status and that it is paused."""
    code, out, _ = await factflow(running, "execution", "pause", "monday")
    assert (code, " is paused, since " in out) == (0, True)
    _, out, _ = await factflow(running, "execution", "list")
    assert "running, paused" in out
    code, out, _ = await factflow(running, "execution", "resume", "monday")
    assert (code, out.endswith(" is not paused any more\n")) == (0, True)
    _, out, _ = await factflow(running, "execution", "list")
    assert "paused" not in out
    code, *_ = await factflow(running, "execution", "cancel", "monday")
    assert code == 0


async def test_what_does_not_exist_and_what_has_ended_have_exit_codes(running: Api) -> None:
    """4 and 5, as everywhere."""
    assert (await factflow(running, "pipeline", "pause", "nobody"))[0] == 4
    assert (await factflow(running, "execution", "pause", "nobody"))[0] == 4
    await factflow(running, "execution", "cancel", "monday")
    assert (await factflow(running, "execution", "pause", "monday"))[0] == 5
