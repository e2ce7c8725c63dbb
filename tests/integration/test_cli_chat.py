"""`factflow chat` with threads, against a server that says what it is told and against a real one."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.cli_server import CommandLine, ScriptedServer, cli, server
from tests.http_server import World, serving

__all__ = ["cli", "server"]

THREAD = "01890a5d-ac96-774b-bcce-b302099a8057"
MESSAGES = f"/api/v1/chat/threads/{THREAD}/messages"
ANSWER = {"text": "So it is [1].", "is_answered": True, "citations": [{"number": 1, "title": "Vacuum"}]}
TURN = {"question": {}, "answer": {"id": "x", "answer": ANSWER}}


def test_a_question_goes_into_a_thread(cli: CommandLine, server: ScriptedServer) -> None:
    server.says("POST", MESSAGES, TURN, status=201)
    ran = cli("chat", "--thread", THREAD, "and", "why?")
    assert server.asked[0].value == {"content": "and why?"}
    assert (ran.code, ran.lines) == (0, ["So it is [1].", "", "[1] Vacuum"])


def test_a_question_names_the_template_of_its_prompt(cli: CommandLine, server: ScriptedServer) -> None:
    server.says("POST", "/api/v1/chat/complete", ANSWER)
    assert cli("chat", "ask", "--prompt-template", "mine", "why?").code == 0
    assert server.asked[0].value == {"query": "why?", "prompt_template": "mine"}


def test_a_thread_is_opened_for_a_question(cli: CommandLine, server: ScriptedServer) -> None:
    """Its id is told apart from the answer."""
    server.says("POST", "/api/v1/chat/threads", {"id": THREAD}, status=201)
    done = {"completed": True, "is_answered": True, "citations": ANSWER["citations"]}
    events = (
        f'event: turn\ndata: {{"thread_id":"{THREAD}"}}\n\nevent: text\ndata: {{"content":"So."}}\n\n'
        f"event: done\ndata: {json.dumps(done)}\n\n"
    )
    server.says_events("POST", f"{MESSAGES}/stream", events.encode())
    ran = cli("chat", "--stream", "--thread", "new", "why?")
    assert (ran.lines, ran.err) == (["So.", "", "[1] Vacuum"], f"thread {THREAD}\n")


@pytest.mark.parametrize("words", [("thread", "safety?"), ("ask", "thread", "list"), ("threads",)])
def test_a_question_may_begin_with_the_word_thread(
    cli: CommandLine, server: ScriptedServer, words: tuple[str, ...]
) -> None:
    server.says("POST", "/api/v1/chat/complete", ANSWER)
    assert cli("chat", *words).code == 0
    assert server.asked[0].value == {"query": " ".join(word for word in words if word != "ask")}


def test_threads_are_listed_with_how_to_go_on(cli: CommandLine, server: ScriptedServer) -> None:
    row = {"id": THREAD, "title": "Vac\x1buum", "message_count": 4, "updated_at": "2026-01-31T12:00:00Z"}
    server.says("GET", "/api/v1/chat/threads", {"threads": [row], "next_cursor": "2026~x"})
    ran = cli("chat", "thread", "list", "--limit", "1", "--transient")
    assert server.asked[0].query == {"limit": "1", "is_transient": "true"}
    assert (THREAD in ran.out, "\x1b" in ran.out) == (True, False)
    assert "--cursor '2026~x'" in ran.err


def test_a_thread_is_shown_with_its_sources(cli: CommandLine, server: ScriptedServer) -> None:
    said = [
        {"id": "q", "role": "user", "content": "Why?", "status": "complete", "answer": None, "error": None},
        {"id": "a", "role": "assistant", "content": "So [1].", "status": "interrupted", "answer": ANSWER},
        {"id": "b", "role": "assistant", "content": "", "status": "failed", "error": {"message": "away"}},
    ]
    server.says("GET", MESSAGES, {"messages": said, "next_cursor": None})
    ran = cli("chat", "thread", "show", THREAD)
    assert ran.lines == [
        "user q", "Why?", "",
        "assistant a (interrupted)", "So [1].", "[1] Vacuum", "",
        "assistant b (failed)", "", "error: away", "",
    ]  # fmt: skip


def test_one_thread_after_the_other_in_a_real_server(capsys: pytest.CaptureFixture[str]) -> None:
    """From the first question to the deletion."""

    async def talk() -> None:
        world = World()
        await world.index("bees", "Bees gather nectar. A hive holds forty thousand bees.")
        async with serving(world=world) as api:

            async def run(*words: str) -> tuple[int, str, str]:
                ran = await asyncio.to_thread(CommandLine(api.url, capsys), "chat", *words)
                return ran.code, ran.out, ran.err

            code, out, err = await run("--thread", "new", "How many bees are in a hive?")
            assert (code, "forty thousand bees [1]" in out) == (0, True)
            thread = err.split()[1]
            assert (await run("--thread", thread, "And what do bees gather?"))[0] == 0
            shown = (await run("thread", "show", thread))[1]
            assert shown.count("user ") == shown.count("assistant ") == 2
            assert "forty thousand" in (await run("thread", "search", "hive", "thousand"))[1]
            assert (await run("thread", "rename", thread, "On bees"))[0] == 0
            assert "On bees" in (await run("thread", "list"))[1]
            answer = next(line.split()[1] for line in shown.splitlines() if line.startswith("assistant"))
            assert (await run("thread", "branch", thread, answer, "--title", "Else"))[0] == 0
            assert "Else" in (await run("thread", "list"))[1]
            assert (await run("thread", "delete", thread))[0] == 0
            code, _, err = await run("thread", "show", thread)
            assert (code, "(thread_not_found)" in err) == (4, True)

    asyncio.run(talk())
