"""`factflow` against a small real server: what it asks, what it prints, how it ends."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli_server import CommandLine, ScriptedServer, cli, server

__all__ = ["cli", "server"]

ID = "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55"
OTHER = "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a56"
MAIN = "import sys; from entrypoints.cli.main import main; sys.exit(main())"
SEARCH = "/api/v1/search"
MATCH = {
    "score": 0.71,
    "title": "Indexes",
    "url": "indexes.html",
    "heading_path": ["Partial indexes"],
    "start": 5,
    "end": 90,
    "text": "A partial\nindex",
}


def counted(status: str, *, outstanding: int = 0, done: int = 0, dead: int = 0) -> dict[str, object]:
    total = outstanding + done + dead
    counts = {
        "total": total,
        "outstanding": outstanding,
        "done": done,
        "skipped": 0,
        "dead": dead,
        "cancelled": 0,
    }
    return {
        "id": ID,
        "config_id": OTHER,
        "status": status,
        "started_at": "2026-01-01T00:00:00Z",
        "messages": counts,
    }


def page(name: str, *items: object, total: int | None = None) -> dict[str, object]:
    total = len(items) if total is None else total
    return {name: items, "total": total, "limit": 100, "offset": 0, "has_more": total > len(items)}


def test_a_search_asks_for_both_sides_and_prints_where_each_match_is(
    cli: CommandLine, server: ScriptedServer
) -> None:
    """Hybrid unless told otherwise; nothing but text goes into a pipe."""
    server.says("POST", f"{SEARCH}/hybrid", {"results": [MATCH]})
    ran = cli("search", "how do I build a partial index", "--limit", "3")
    assert server.asked[0].value == {"query": "how do I build a partial index", "limit": 3}
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == [
        " 1. 0.710  Indexes > Partial indexes (indexes.html), characters 5-90",
        "    A partial index",
    ]


@pytest.mark.parametrize(
    ("mode", "path"), [("semantic", SEARCH), ("keyword", f"{SEARCH}/keyword"), ("hybrid", f"{SEARCH}/hybrid")]
)
def test_each_way_of_searching_has_its_word(
    cli: CommandLine, server: ScriptedServer, mode: str, path: str
) -> None:
    """`factflow search semantic "Q"` is the documented spelling."""
    server.says("POST", path, {"results": []})
    ran = cli("search", mode, "a question")
    assert (ran.code, ran.out, ran.err) == (0, "", "nothing was found\n")
    assert server.asked[0].value["query"] == "a question"


def test_programs_get_the_very_json_of_the_server(cli: CommandLine, server: ScriptedServer) -> None:
    """Byte for byte, before or after the command's name."""
    body = b'{"results": [ ],\t"odd":"\xc3\xa9\\u0000"}'
    server.says("POST", f"{SEARCH}/hybrid", body, headers={"Content-Type": "application/json"})
    assert cli("search", "x", "--output", "json").out.encode() == body + b"\n"
    assert cli("--output", "json", "search", "x").out.encode() == body + b"\n"


def test_the_key_travels_as_a_bearer(
    cli: CommandLine, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment, unless a flag says otherwise."""
    server.says("POST", f"{SEARCH}/hybrid", {"results": []})
    monkeypatch.setenv("FACTFLOW_API_KEY", "of-the-environment")
    cli("search", "x")
    cli("search", "x", "--api-key", "of-the-flag")
    assert [asked.headers["Authorization"] for asked in server.asked] == [
        "Bearer of-the-environment",
        "Bearer of-the-flag",
    ]


def test_no_server_is_told_with_the_way_to_start_one(cli: CommandLine) -> None:
    """Exit code 7: try again."""
    ran = cli("--url", "http://127.0.0.1:1", "search", "x")
    assert ran.code == 7
    assert ran.err.startswith(
        "error: no server answers at http://127.0.0.1:1; start one with `make serve` (no_server)\n"
    )


@pytest.mark.parametrize(
    ("status", "code"), [(400, 2), (401, 6), (403, 6), (404, 4), (409, 5), (429, 6), (500, 1), (503, 7)]
)
def test_a_problem_is_told_with_its_code_and_its_kind(
    cli: CommandLine, server: ScriptedServer, status: int, code: int
) -> None:
    """Its detail and error code on one line, its fields each on one more."""
    errors = [{"location": "body", "path": "query", "message": "is too long"}]
    server.says(
        "POST",
        f"{SEARCH}/hybrid",
        {"detail": "it\nis so", "error_code": "a_code", "errors": errors},
        status=status,
    )
    ran = cli("search", "x")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.splitlines()[:2] == ["error: it is so (a_code)", "  body.query: is too long"]


@pytest.mark.parametrize(
    "body", [b"<html>502</html>", b"", b"[1]", b'{"detail": [{"msg": "x"}]}', b"\xff\xfe", b"null"]
)
def test_a_problem_that_is_none_is_still_one_line(
    cli: CommandLine, server: ScriptedServer, body: bytes
) -> None:
    """A proxy in between answers what it likes."""
    server.says("POST", f"{SEARCH}/hybrid", body, status=502)
    ran = cli("search", "x")
    assert ran.code == 7
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("(http_502)\n")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"x"', b"{}", b'{"results": 3}', b"\xff"])
def test_another_kind_of_server_is_recognised(cli: CommandLine, server: ScriptedServer, body: bytes) -> None:
    """Status 200 alone makes nobody a factflow server."""
    server.says("POST", f"{SEARCH}/hybrid", body)
    ran = cli("search", "x")
    assert (ran.code, ran.out) == (7, "")
    assert "(not_a_factflow_server)" in ran.err


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "broke off"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "broke off before the answer was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "broke off"),
    ],
)
def test_what_is_no_answer_at_all_is_one_line(cli: CommandLine, said: bytes, told: str) -> None:
    """Any program may listen on a port."""

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100_000)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=[listener])
        thread.start()
        ran = cli("--url", f"http://127.0.0.1:{listener.getsockname()[1]}", "search", "x")
        thread.join()
    assert (ran.code, ran.out, ran.err.count("\n")) == (7, "", 1)
    assert told in ran.err


def test_a_redirect_is_not_followed_with_the_key(cli: CommandLine, server: ScriptedServer) -> None:
    """The person decides where a key goes."""
    server.says(
        "POST", f"{SEARCH}/hybrid", b"", status=302, headers={"Location": "http://elsewhere.example/"}
    )
    ran = cli("--api-key", "k", "search", "x")
    assert ran.code == 7
    assert "redirects to http://elsewhere.example/" in ran.err
    assert len(server.asked) == 1


def test_a_key_with_a_line_break_is_not_sent(cli: CommandLine, server: ScriptedServer) -> None:
    """It would be a header of its own."""
    ran = cli("--api-key", "k\r\nX-Evil: 1", "search", "x")
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert server.asked == []


def test_text_of_a_document_cannot_command_the_terminal(cli: CommandLine, server: ScriptedServer) -> None:
    """Neither in titles nor in passages, and markup stays text."""
    server.says(
        "POST",
        f"{SEARCH}/hybrid",
        {"results": [MATCH | {"title": "\x1b]0;owned\x07[bold]", "text": "\x1b[2J[red]x"}]},
    )
    out = cli("search", "x").out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[bold]" in out
    assert "[red]x" in out


# chat -------------------------------------------------------------------------------------------------------------

CITED = [
    {
        "number": 2,
        "title": "Vacuum",
        "url": "vacuum.html",
        "heading_path": ["Vacuum", "Why"],
        "start": 10,
        "end": 20,
    },
    {"number": 1, "title": "", "url": "a.md", "heading_path": [], "start": 0, "end": 5, "page": 4},
    {
        "number": 2,
        "title": "Vacuum",
        "url": "vacuum.html",
        "heading_path": ["Vacuum", "Why"],
        "start": 30,
        "end": 40,
    },
]
LISTED = ["[1] a.md, page 4, characters 0-5", "[2] Vacuum > Why (vacuum.html), characters 10-20 and 30-40"]


def test_an_answer_comes_with_numbered_citations(cli: CommandLine, server: ScriptedServer) -> None:
    """Document, heading and characters, a line for each number."""
    answer = {
        "text": "So it is [2]. And so [1].",
        "mode": "extractive",
        "is_answered": True,
        "citations": CITED,
        "sources": [],
    }
    server.says("POST", "/api/v1/chat/complete", answer)
    ran = cli("chat", "why", "vacuum?")
    assert server.asked[0].value == {"query": "why vacuum?"}
    assert (ran.code, ran.lines) == (0, ["So it is [2]. And so [1].", "", *LISTED])
    assert ran.err == ""


def test_a_streamed_answer_is_printed_as_it_comes(cli: CommandLine, server: ScriptedServer) -> None:
    """Cut anywhere, even within a character or between CR and LF."""
    done = {"completed": True, "mode": "generative", "is_answered": True, "citations": CITED}
    text = (
        ": hello\r\n\r\n"
        'event: sources\r\ndata: {"sources": []}\r\n\r\n'
        'event: text\r\ndata: {"content": "Naïve "}\r\n\r\n'
        'event: text\ndata: {"content":\ndata: "ones\\u001b[2J."}\n\n'
        f"event: done\ndata: {json.dumps(done)}\n\n"
    ).encode()
    server.says_events("POST", "/api/v1/chat/stream", *(text[at : at + 1] for at in range(len(text))))
    ran = cli("chat", "--stream", "q")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == ["Naïve ones\N{REPLACEMENT CHARACTER}[2J.", "", *LISTED]


def test_a_stream_that_breaks_off_is_no_answer(cli: CommandLine, server: ScriptedServer) -> None:
    """Without `done` it may be half of one."""
    server.says_events("POST", "/api/v1/chat/stream", b'event: text\ndata: {"content": "Half"}\n\n')
    ran = cli("chat", "--stream", "q")
    assert ran.code == 7
    assert "(answer_broken_off)" in ran.err


def test_an_error_in_a_stream_is_told_like_any_other(cli: CommandLine, server: ScriptedServer) -> None:
    """The language model did not answer: exit code 7."""
    problem = {"status": 503, "detail": "the model is away", "error_code": "language_model_unavailable"}
    server.says_events(
        "POST", "/api/v1/chat/stream", f"event: error\ndata: {json.dumps(problem)}\n\n".encode()
    )
    ran = cli("chat", "--stream", "q")
    assert ran.code == 7
    assert "error: the model is away (language_model_unavailable)\n" in ran.err


def test_an_answer_without_citations_is_pointed_out(cli: CommandLine, server: ScriptedServer) -> None:
    """A model may say what no document says."""
    server.says(
        "POST",
        "/api/v1/chat/complete",
        {"text": "Trust me.", "mode": "generative", "is_answered": True, "citations": []},
    )
    assert "no source is cited" in cli("chat", "q", "--no-stream").err


# config -----------------------------------------------------------------------------------------------------------


def test_a_config_is_created_from_a_file_and_named_after_it(
    cli: CommandLine, server: ScriptedServer, tmp_path: Path
) -> None:
    """One with errors is stored too, and what is wrong is said."""
    finding = {
        "severity": "error",
        "code": "E103",
        "path": "routes.a",
        "message": "no such type",
        "remediation": "use x",
        "line": 3,
    }
    stored = {
        "id": ID,
        "name": "mine",
        "version": 1,
        "is_active": True,
        "is_runnable": False,
        "validation_report": {"findings": [finding]},
    }
    server.says("POST", "/api/v1/configs", stored, status=201)
    (tmp_path / "mine.yaml").write_text("routes: {é}", "utf-8")
    ran = cli("config", "create", "-f", str(tmp_path / "mine.yaml"))
    assert server.asked[0].value == {"name": "mine", "config_yaml": "routes: {é}"}
    assert ran.code == 0
    assert ran.lines[0].split() == ["id", ID]
    assert ran.err == "line 3, routes.a: error E103: no such type\n  use x\n"


def test_a_file_that_cannot_be_read_is_told(cli: CommandLine, server: ScriptedServer, tmp_path: Path) -> None:
    """A missing one, a folder, and bytes that are no text."""
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    for name in ("missing.yaml", ".", "latin.yaml", "a\x00b"):
        ran = cli("config", "create", "-f", str(tmp_path / name))
        assert (ran.code, ran.out) == (2, "")
        assert "(file_unreadable)" in ran.err
    assert server.asked == []


def test_a_config_is_found_by_its_name(cli: CommandLine, server: ScriptedServer) -> None:
    """Over every page; the payload's overrides travel as JSON."""
    first = {**page("configs", {"id": OTHER, "name": "other"}, total=2)}
    answers = [first, {**page("configs", {"id": ID, "name": "documents"}, total=2), "has_more": False}]

    async def configs(request: web.Request) -> web.Response:
        return web.json_response(answers[int(request.query["offset"])])

    server.script[("GET", "/api/v1/configs")] = configs
    server.says("POST", f"/api/v1/configs/{ID}/run", counted("running"), status=201)
    ran = cli("execution", "run", "documents", "--tag", "t 1", "--set", "folder=docs")
    assert (ran.code, ran.out) == (0, ID + "\n")
    assert server.asked[-1].query == {"tag": "t 1"}
    assert server.asked[-1].value == {"init_payload_overrides": {"folder": "docs"}}


def test_a_run_can_begin_without_its_first_message(cli: CommandLine, server: ScriptedServer) -> None:
    """Which is then not there to be changed."""
    server.says("POST", f"/api/v1/configs/{ID}/run", counted("completed"), status=201)
    for group in ("config", "execution"):
        assert cli(group, "run", ID, "--skip-init-message").code == 0
        assert server.asked[-1].query == {"skip_init_message": "true"}
        assert cli(group, "run", ID, "--skip-init-message", "--set", "a=1").code == 2
    assert len(server.asked) == 2


def test_a_config_that_is_not_there_is_told_with_those_that_are(
    cli: CommandLine, server: ScriptedServer
) -> None:
    """What was probably meant."""
    server.says("GET", "/api/v1/configs", page("configs", {"id": ID, "name": "documents"}))
    ran = cli("config", "run", "document")
    assert ran.code == 4
    assert ran.err.splitlines() == [
        "error: there is no active config named 'document' (no_config_of_that_name)",
        "  there is: documents",
    ]


def test_a_name_that_two_configs_have_is_not_guessed(cli: CommandLine, server: ScriptedServer) -> None:
    """Exit code 5, and the ids to choose from."""
    server.says(
        "GET", "/api/v1/configs", page("configs", {"id": ID, "name": "d"}, {"id": OTHER, "name": "d"})
    )
    ran = cli("config", "delete", "d")
    assert ran.code == 5
    assert ran.err.splitlines()[1:] == [f"  {ID}", f"  {OTHER}"]


def test_a_config_that_cannot_run_is_told_with_its_findings(cli: CommandLine, server: ScriptedServer) -> None:
    """As the server reports them."""
    finding = {
        "severity": "error",
        "code": "E301",
        "path": "a.b",
        "message": "unknown field",
        "remediation": "remove it",
        "line": 7,
    }
    problem = {
        "detail": "the config has 1 errors",
        "error_code": "config_not_runnable",
        "findings": [finding],
    }
    server.says("POST", f"/api/v1/configs/{ID}/run", problem, status=400)
    ran = cli("config", "run", ID)
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "error: the config has 1 errors (config_not_runnable)", "  line 7, a.b: error E301: unknown field", "    remove it",
    ]  # fmt: skip


def test_a_config_prints_as_the_yaml_it_is(cli: CommandLine, server: ScriptedServer) -> None:
    """So that `config get X > x.yaml` gives a config."""
    value = {
        "id": ID,
        "name": "d",
        "version": 2,
        "is_active": True,
        "is_runnable": True,
        "config_yaml": 'version: "1.0"\n',
    }
    server.says("GET", f"/api/v1/configs/{ID}", value)
    ran = cli("config", "get", ID)
    assert ran.out == 'version: "1.0"\n'
    assert f"# id: {ID}" in ran.err


# execution --------------------------------------------------------------------------------------------------------


def test_executions_are_listed_in_lines_that_grep_takes(cli: CommandLine, server: ScriptedServer) -> None:
    """One line each, no colours, and where to go on."""
    server.says(
        "GET", "/api/v1/executions", page("executions", counted("running", outstanding=2, done=3), total=5)
    )
    ran = cli("execution", "list", "--status", "running", "--limit", "1")
    assert server.asked[0].query == {"status": "running", "limit": "1", "offset": "0"}
    assert ran.lines[0].split()[:3] == ["ID", "STATUS", "SETTLED"]
    assert ran.lines[1].split()[:4] == [ID, "running", "3/5", "0"]
    assert ran.err == "1 of 5; --offset 1 shows what follows\n"


@pytest.mark.slow
@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("cancelled", 1)])
def test_waiting_ends_as_the_execution_does(
    cli: CommandLine, server: ScriptedServer, status: str, code: int
) -> None:
    """0 when it completed, 1 otherwise; events wake the waiting before its time."""
    answers = [
        counted("running", outstanding=2),
        counted("running", outstanding=1, done=1),
        counted(status, done=1, dead=1),
    ]

    async def execution(request: web.Request) -> web.Response:
        return web.json_response(answers.pop(0) if len(answers) > 1 else answers[0])

    server.script[("GET", f"/api/v1/executions/{ID}")] = execution
    server.says_events("GET", f"/api/v1/executions/{ID}/events", b"event: completed\ndata: {}\n\n")
    ran = cli("execution", "wait", ID)
    assert (ran.code, ran.out) == (code, f"{status}: 1 done, 0 skipped, 1 dead\n")
    assert f"dead-letters {ID}" in ran.err


@pytest.mark.slow
def test_waiting_survives_a_server_that_goes_away(cli: CommandLine, server: ScriptedServer) -> None:
    """No events, a refused request, a cut connection: it asks again."""
    asked = 0

    async def execution(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            return web.json_response({"detail": "starting", "error_code": "not_ready"}, status=503)
        if asked == 3 and request.transport is not None:
            request.transport.abort()
        return web.json_response(counted("running" if asked < 4 else "completed", done=1))

    server.script[("GET", f"/api/v1/executions/{ID}")] = execution
    ran = cli("execution", "wait", ID)
    assert (ran.code, asked) == (0, 4)
    assert "starting" in ran.err


def test_who_stops_waiting_is_told_that_the_run_goes_on(server: ScriptedServer) -> None:
    """Ctrl-C stops the command alone: exit code 130."""
    server.says("GET", f"/api/v1/executions/{ID}", counted("running", outstanding=1))
    # A shell starts its background jobs with Ctrl-C ignored, and their children inherit that.
    heeding = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {MAIN}"
    command = [sys.executable, "-c", heeding, "--url", server.url, "execution", "wait", ID]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "running: 0 of 1 messages settled, 0 dead\n"
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    assert told == f"\nit goes on; factflow execution cancel {ID} stops it\n\nstopped\n"


def test_waiting_has_an_end(cli: CommandLine, server: ScriptedServer) -> None:
    """Exit code 7: it goes on, and one may ask again."""
    server.says("GET", f"/api/v1/executions/{ID}", counted("running", outstanding=1))
    ran = cli("--timeout", "200ms", "execution", "wait", ID)
    assert ran.code == 7
    assert "(still_running)" in ran.err


def test_an_execution_that_is_not_there_is_not_waited_for(cli: CommandLine, server: ScriptedServer) -> None:
    """Exit code 4 at once."""
    assert cli("execution", "wait", "no-such-tag").code == 4


def test_a_graph_is_shown_route_by_route(cli: CommandLine, server: ScriptedServer) -> None:
    """With the adapters in order and where each route leads."""
    nodes = [
        {"route_id": "read", "name": "Read", "adapters": ["a", "b"]},
        {"route_id": "embed", "name": "E", "adapters": ["c"]},
    ]
    edges = [{"from_route": "read", "to_route": "embed", "queue": "q"}]
    server.says(
        "GET",
        f"/api/v1/executions/{ID}/dag",
        {"execution_id": ID, "init_queue": "/queue/in", "nodes": nodes, "edges": edges},
    )
    ran = cli("execution", "dag", ID)
    assert [line.split() for line in ran.lines[1:]] == [["read", "a,", "b", "embed"], ["embed", "c", "-"]]


def test_cancelling_asks_for_the_status(cli: CommandLine, server: ScriptedServer) -> None:
    """By tag too, escaped."""
    server.says(
        "PATCH", "/api/v1/executions/a%20tag", {"success": True, "message": "it was running and is cancelled"}
    )
    ran = cli("execution", "cancel", "a tag")
    assert server.asked[0].value == {"status": "cancelled"}
    assert ran.out == "it was running and is cancelled\n"


def test_an_execution_that_is_stuck_is_ended_by_hand(cli: CommandLine, server: ScriptedServer) -> None:
    """As failed, with a reason, or as completed."""
    server.says("PATCH", "/api/v1/executions/stuck", {"success": True, "message": "it was running"})
    assert cli("execution", "end", "stuck", "--as", "failed", "--reason", "a lost host").code == 0
    assert cli("execution", "end", "stuck", "--as", "completed").out == "it was running\n"
    assert [asked.value for asked in server.asked] == [
        {"status": "failed", "error_info": {"message": "a lost host"}},
        {"status": "completed"},
    ]
    for arguments in ((), ("--as", "cancelled"), ("--as", "completed", "--reason", "x")):
        assert cli("execution", "end", "stuck", *arguments).code == 2
    assert len(server.asked) == 2


def test_routes_are_shown_with_their_queues_and_how_they_stand(
    cli: CommandLine, server: ScriptedServer
) -> None:
    """A pause goes before what the processor does; a route that does not run there has no state."""

    def route(name: str, *paused_by: str, work: str | None) -> dict[str, object]:
        stands = None if work is None else {"state": work}
        return {"route_id": name, "queue": f"/queue/{name}", "paused_by": paused_by, "work": stands}

    routes = [
        route("a", work="open"),
        route("b", "route_paused", work="open"),
        route("c", work="breaker"),
        route("d", work=None),
    ]
    server.says("GET", f"/api/v1/executions/{ID}/routes", {"execution_id": ID, "routes": routes})
    lines = cli("execution", "routes", ID).lines
    assert lines[0].split()[:3] == ["ROUTE", "QUEUE", "STATE"]
    assert [re.split(r" {2,}", line)[:3] for line in lines[1:]] == [
        ["a", "/queue/a", "running"],
        ["b", "/queue/b", "paused"],
        ["c", "/queue/c", "breaker open"],
        ["d", "/queue/d", "-"],
    ]


# storage, lineage, system -----------------------------------------------------------------------------------------


def test_an_object_comes_out_as_the_bytes_it_is(
    cli: CommandLine, server: ScriptedServer, tmp_path: Path
) -> None:
    """On standard output, or whole in a file."""
    content = bytes(range(256)) * 1000
    server.says("GET", "/api/v1/storage/objects/executions/a%20b/c", content)
    assert cli("storage", "get", "executions/a b/c", "-o", str(tmp_path / "out")).code == 0
    assert (tmp_path / "out").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    address = ["--url", server.url, "storage", "get", "executions/a b/c"]
    ran = subprocess.run([sys.executable, "-c", MAIN, *address], capture_output=True, check=True)
    assert ran.stdout == content


def test_a_file_that_was_there_stays_when_the_object_is_not(cli: CommandLine, tmp_path: Path) -> None:
    """Nothing is opened before the server has answered."""
    (tmp_path / "out").write_bytes(b"old")
    assert cli("storage", "get", "no/such", "-o", str(tmp_path / "out")).code == 4
    assert (tmp_path / "out").read_bytes() == b"old"


def test_an_object_can_be_thrown_away_without_harm(cli: CommandLine, server: ScriptedServer) -> None:
    """`-o /dev/null` writes to the device, and does not take its place."""
    server.says("GET", "/api/v1/storage/objects/a", b"x")
    assert cli("storage", "get", "a", "-o", "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("key", ["../configs", "a//b", "/a", "a/./b", "a\\b", "a\x00", "x.meta.json", ""])
def test_a_key_that_is_not_allowed_is_refused_here_already(
    cli: CommandLine, server: ScriptedServer, key: str
) -> None:
    """It could otherwise name another resource."""
    ran = cli("storage", "get", key)
    assert ran.code == 2
    assert "(invalid_storage_key)" in ran.err
    assert server.asked == []


def test_a_large_file_is_put_as_it_is(cli: CommandLine, server: ScriptedServer, tmp_path: Path) -> None:
    """With the media type of its name."""
    content = bytes(range(256)) * 80_000
    (tmp_path / "big.pdf").write_bytes(content)
    server.says("PUT", "/api/v1/storage/objects/uploads/big.pdf", {"key": "uploads/big.pdf"}, status=201)
    ran = cli("storage", "put", str(tmp_path / "big.pdf"), "uploads/big.pdf")
    assert (ran.code, ran.out) == (0, "uploads/big.pdf\n")
    assert server.asked[0].headers["Content-Type"] == "application/pdf"
    assert server.asked[0].body == content


def test_an_object_is_deleted_by_its_key(cli: CommandLine, server: ScriptedServer) -> None:
    """What the server refuses is told as such."""
    server.says("DELETE", "/api/v1/storage/objects/uploads/a%20b.md", b"", status=204)
    ran = cli("storage", "delete", "uploads/a b.md")
    assert (ran.code, ran.out) == (0, "deleted uploads/a b.md\n")
    assert server.asked[0].method == "DELETE"
    assert cli("storage", "delete", "../configs").code == 2
    assert len(server.asked) == 1


def test_an_execution_can_be_named_by_its_tag_everywhere(cli: CommandLine, server: ScriptedServer) -> None:
    """An id is taken as it is: what it stored outlives it."""
    server.says("GET", "/api/v1/executions/monday", counted("completed"))
    server.says("GET", "/api/v1/lineage", page("entries"))
    server.says("GET", "/api/v1/storage/objects", page("objects"))
    cli("lineage", "list", "--execution", "monday")
    cli("storage", "list", "--execution", ID)
    assert [asked.path for asked in server.asked] == [
        "/api/v1/executions/monday",
        "/api/v1/lineage",
        "/api/v1/storage/objects",
    ]
    assert server.asked[1].query["execution_id"] == ID
    assert server.asked[2].query["prefix"] == f"executions/{ID}/"


def test_browsing_shows_folders_first(cli: CommandLine, server: ScriptedServer) -> None:
    """As the server groups them."""
    listed = {**page("objects", {"key": "executions/x", "size": 3}), "common_prefixes": ["executions/a/"]}
    server.says("GET", "/api/v1/storage/objects", listed)
    ran = cli("storage", "browse", "executions")
    assert server.asked[0].query["prefix"] == "executions/"
    assert server.asked[0].query["delimiter"] == "/"
    assert ran.lines[0] == "executions/a/"
    assert ran.lines[2].split()[:2] == ["executions/x", "3"]


def test_failures_tell_their_reasons(cli: CommandLine, server: ScriptedServer) -> None:
    """On one line, however long the message."""
    entry = {
        "correlation_id": ID,
        "route_id": "r",
        "adapter_name": "a",
        "stage_status": "failed",
        "started_at": "x",
        "error_info": {"message": "no\ntext"},
    }
    server.says("GET", "/api/v1/lineage/failures", page("entries", entry))
    ran = cli("lineage", "failures", "--execution", OTHER)
    assert server.asked[0].query["execution_id"] == OTHER
    assert ran.lines[1].endswith("no text")


def test_a_chain_reads_in_the_order_of_the_flow(cli: CommandLine, server: ScriptedServer) -> None:
    """The farthest ancestor first, then the entry itself."""

    def entry(name: str) -> dict[str, object]:
        return {
            "correlation_id": name,
            "adapter_name": name,
            "stage_status": "completed",
            "duration_ms": 1.25,
        }

    chain = {
        "entry": entry("me"),
        "ancestors": [entry("parent"), entry("root")],
        "descendants": [entry("child")],
        "total": 4,
    }
    server.says("GET", "/api/v1/lineage/me/chain", chain)
    lines = cli("lineage", "chain", "me").lines[1:]
    assert [line.split()[:2] for line in lines] == [
        ["ancestor", "root"], ["ancestor", "parent"], ["itself", "me"], ["descendant", "child"],
    ]  # fmt: skip


@pytest.mark.parametrize(("status", "code"), [("healthy", 0), ("degraded", 0), ("unhealthy", 7)])
def test_health_is_an_exit_code_too(cli: CommandLine, server: ScriptedServer, status: str, code: int) -> None:
    """For scripts that wait for a server."""
    component = {"name": "database", "status": status, "message": None, "checked_at": "x"}
    server.says(
        "GET", "/api/v1/system/health", {"status": status, "components": [component], "uptime_seconds": 75.2}
    )
    ran = cli("system", "health")
    assert ran.code == code
    assert ran.lines[0].split() == ["status", status]
    assert ran.lines[1].split() == ["up", "for", "1", "m", "15", "s"]
    assert json.loads(cli("system", "health", "--output", "json").out)["status"] == status


def test_workers_are_listed_with_what_they_have_to_do(cli: CommandLine, server: ScriptedServer) -> None:
    """One line for each process; how many executions it has joined, and not which."""
    worker = {
        "id": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "reader-1", "host": "h1", "pid": 77, "since": None,
        "takes_messages": True, "executions": ["a", "b"], "in_hand": 12, "lease_until": None, "answers": False,
    }  # fmt: skip
    page = {
        "workers": [worker],
        "total": 1,
        "limit": 100,
        "offset": 0,
        "has_more": False,
        "next_cursor": None,
    }
    server.says("GET", "/api/v1/system/workers", page)
    ran = cli("system", "workers")
    assert ran.code == 0
    assert ran.lines[0].lower().split() == [
        "name",
        "host",
        "pid",
        "alive",
        "for",
        "routes",
        "executions",
        "in",
        "hand",
    ]
    assert ran.lines[1].split() == ["reader-1", "h1", "77", "-", "yes", "2", "12"]


def test_an_answer_that_is_cut_off_is_pointed_out(cli: CommandLine, server: ScriptedServer) -> None:
    answer = {"text": "Forty", "mode": "generative", "is_answered": True, "citations": []}
    server.says("POST", "/api/v1/chat/complete", answer | {"finish_reason": "length"})
    assert "the answer is cut off" in cli("chat", "q", "--no-stream").err


def test_a_build_that_is_not_waited_for_goes_on_and_it_says_so(
    cli: CommandLine, server: ScriptedServer
) -> None:
    """So that nobody starts it again; other commands have nothing that goes on."""

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    for method, path in (("POST", "/api/v1/indexes"), ("GET", "/api/v1/indexes")):
        server.script[(method, path)] = silent
    ran = cli("index", "create", "minilm", "--timeout", "200ms")
    assert (ran.code, "the server builds on; `factflow index list`" in ran.err) == (7, True)
    ran = cli("index", "list", "--timeout", "200ms")
    assert (ran.code, "builds on" in ran.err) == (7, False)
