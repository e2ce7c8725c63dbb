"""`factflow` against the API itself, over in-memory adapters: both sides mean the same by every field."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import yaml

from entrypoints.cli import reporting
from entrypoints.cli.main import factflow as command_line
from tests.http_server import PIPELINE, Api, serving


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def factflow(api: Api, *arguments: str, said: io.BytesIO | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, which runs in a thread; one at a time.

    ``said`` has what it has written to standard output so far. Whatever profiles there are where the tests run, it has none.
    """
    with (
        pytest.MonkeyPatch.context() as environment,
        io.TextIOWrapper(said or io.BytesIO(), "utf-8", newline="") as out,
        io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        environment.setenv("XDG_CONFIG_HOME", "/nowhere")
        environment.delenv("FACTFLOW_PROFILE", raising=False)
        code = await asyncio.to_thread(
            reporting.run, command_line, "factflow", ["--url", api.url, *arguments]
        )
        return code, _written(out), _written(err)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


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
    await api.ask("PATCH", "/api/v1/executions/slow", json={"status": "cancelled"})
    code, out, _ = await waiting
    assert (code, out.split(":")[0]) == (1, "cancelled")
    await factflow(api, "config", "run", "wait", "--tag", "slower")
    code, out, _ = await factflow(api, "execution", "cancel", "slower")
    assert (code, out) == (0, "the execution was running and is cancelled\n")
    code, _, err = await factflow(api, "execution", "cancel", "slow")
    assert code == 5
    assert "(status_change_not_allowed)" in err


async def test_what_a_run_stores_is_watched_until_it_is_over(api: Api, tmp_path: Path) -> None:
    """A line for each object, the whole event for programs, and the exit code says how it ended."""
    await stored(api, tmp_path, "store")
    await factflow(api, "config", "run", "store", "--tag", "kept")
    watching = asyncio.create_task(factflow(api, "storage", "watch", "--execution", "kept"))
    await api.heard_by(1)
    api.world.gate.set()
    code, out, err = await watching
    size, key = out.split()
    assert (code, size, err) == (0, "5", "")
    assert key.split("/")[2:4] == ["first", "note"]
    code, out, _ = await factflow(api, "storage", "watch", "--execution", "kept", "--output", "json")
    assert (code, out) == (0, "")
    assert (await factflow(api, "storage", "watch", "--execution", "nobody"))[0] == 4


async def test_a_run_is_watched_until_it_is_over(api: Api, tmp_path: Path) -> None:
    """A line for each change of a route, and the exit code of `wait`; what programs read comes at the end, as YAML too."""
    await stored(api, tmp_path, "wait")
    await factflow(api, "config", "run", "wait", "--tag", "watched")
    said = io.BytesIO()
    watching = asyncio.create_task(factflow(api, "execution", "watch", "watched", said=said))
    async with asyncio.timeout(10):
        while b"running\n" not in said.getvalue():  # noqa: ASYNC110 (nothing else tells it)
            await asyncio.sleep(0.01)
    api.world.gate.set()
    code, out, err = await watching
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert (lines[0].split(":")[0], lines[-1]) == ("first", "completed: 2 done, 0 skipped, 0 dead")
    assert "running" in lines
    code, out, _ = await factflow(api, "execution", "watch", "watched", "--output", "yaml")
    assert (code, yaml.safe_load(out)["status"]) == (0, "completed")
    await stored(api, tmp_path, "reject")
    await factflow(api, "config", "run", "reject", "--tag", "bad", "--wait")
    assert (await factflow(api, "execution", "watch", "bad"))[0] == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_a_shell_is_told_how_to_complete(api: Api, shell: str) -> None:
    code, out, _ = await factflow(api, "completion", shell)
    assert (code, "_FACTFLOW_COMPLETE" in out) == (0, True)


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


async def test_an_object_goes_in_and_comes_out(api: Api, tmp_path: Path) -> None:
    """With what is known of it; what executions kept is not overwritten."""
    file = tmp_path / "a b.md"
    file.write_bytes(b"# Title\n\nText")
    key = "uploads/somewhere/ä b/metadata"
    assert (await factflow(api, "storage", "put", str(file), key))[:2] == (0, key + "\n")
    assert (await factflow(api, "storage", "get", key))[1] == "# Title\n\nText"
    code, out, _ = await factflow(api, "storage", "metadata", key)
    assert code == 0
    assert "content_type         text/markdown\n" in out
    assert (await factflow(api, "storage", "browse"))[1] == "uploads/\n"
    assert (await factflow(api, "storage", "browse", "uploads"))[1] == "uploads/somewhere/\n"
    code, _, err = await factflow(api, "storage", "put", str(file), "executions/x")
    assert code == 6
    assert "(storage_key_not_writable)" in err


async def test_lineage_of_a_run_can_be_asked_for(api: Api, tmp_path: Path) -> None:
    """By the execution's tag; an entry that is not there is exit code 4."""
    await stored(api, tmp_path, "echo")
    await factflow(api, "config", "run", "echo", "--tag", "t", "--wait")
    for command in (["list", "--execution", "t", "--status", "completed"], ["failures", "--execution", "t"]):
        assert (await factflow(api, "lineage", *command))[0] == 0
    for question in ("get", "chain", "children"):
        assert (await factflow(api, "lineage", question, "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55"))[0] == 4
    code, _, err = await factflow(api, "lineage", "list", "--execution", "no-such-tag")
    assert code == 4
    assert "(execution_not_found)" in err


async def test_dead_letters_are_listed_redriven_and_purged(api: Api, tmp_path: Path) -> None:
    """One, those of an execution, and all; nothing is done by oversight."""
    await stored(api, tmp_path, "reject")
    for tag in ("one", "two"):
        await factflow(api, "config", "run", "reject", "--tag", tag, "--wait")
    code, out, _ = await factflow(api, "dead-letter", "list", "--execution", "one", "--after", "2020-01-01")
    message = out.splitlines()[1].split()[0]
    assert (code, out.splitlines()[1].split()[1:4]) == (0, ["first", "reject", "1"])
    code, out, _ = await factflow(api, "dead-letter", "get", message)
    assert (code, "attempts               1\n" in out) == (0, True)
    code, out, _ = await factflow(api, "dead-letter", "redrive", message)
    assert (code, out.split(" execution ")[0]) == (0, "queued again in")
    code, _, _ = await factflow(api, "execution", "wait", "one")
    assert code == 1
    code, out, _ = await factflow(api, "dead-letter", "redrive", "--error-code", "invalid")
    assert (code, out) == (0, "completed: 2 queued again in 2 executions\n")
    for tag in ("one", "two"):
        await api.ended(tag)
    for arguments in ((), (message, "--all"), ("--all", "--route", "first")):
        code, _, err = await factflow(api, "dead-letter", "purge", *arguments)
        assert (code, "(which_dead_letters)" in err) == (2, True)
    assert (await factflow(api, "dead-letter", "purge", message))[0] == 0
    code, _, err = await factflow(api, "dead-letter", "redrive", message)
    assert (code, "(dead_letter_purged)" in err) == (5, True)
    assert (await factflow(api, "dead-letter", "purge", "--all"))[:2] == (0, "1 purged\n")
    assert (await factflow(api, "dead-letter", "list"))[2] == "no dead letters\n"


async def test_an_execution_is_shown_in_figures(api: Api) -> None:
    """Its messages and its pace, then each route and each pipeline adapter."""
    await api.execution("echo", tag="good")
    await api.ended("good")
    code, out, err = await factflow(api, "execution", "stats", "good")
    assert (code, err) == (0, ""), err
    assert "completed            2\n" in out
    assert "messages_per_second" in out
    _, routes, adapters = (part.splitlines() for part in out.split("\n\n"))
    assert routes[0].split()[:3] == ["ROUTE", "QUEUE", "STATE"]
    assert adapters[0].split()[:4] == ["ROUTE", "ADAPTER", "COMPLETED", "FAILED"]
    assert [line.split()[:4] for line in adapters[1:]] == [
        ["first", "echo", "1", "0"],
        ["second", "echo", "1", "0"],
    ]
