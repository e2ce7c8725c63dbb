"""What the command lines understand, before anything is asked."""

import json
import signal
import subprocess
import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from entrypoints.cli import reporting
from entrypoints.cli.client import address
from entrypoints.cli.commands.search import mode_and_query
from entrypoints.cli.commands.starting import overrides_of
from entrypoints.cli.durations import in_words, seconds_of
from entrypoints.cli.exit_codes import KINDS, exit_code_of, kind_of
from entrypoints.cli.main import factflow
from entrypoints.cli.problems import problem_error
from entrypoints.cli.server import server
from entrypoints.cli.session import InvalidAddress, server_url
from entrypoints.cli.streams import harmless, one_line

HEAVY = (
    "aiohttp",
    "asyncio",
    "litestar",
    "boto3",
    "numpy",
    "rich",
    "psycopg",
    "ctranslate2",
    "yaml",
    "uvicorn",
    "msgspec",
)


@pytest.mark.parametrize("module", ["entrypoints.cli.main", "entrypoints.cli.server"])
def test_help_imports_nothing_heavy(module: str) -> None:
    """What makes `--help` answer in a tenth of a second."""
    code = (
        f"import sys; from {module} import main; sys.argv[1:] = ['--help']; code = main(); "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), code)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[] 0"


@pytest.mark.parametrize("name", ["server", "client"])
def test_ctrl_c_while_a_command_line_is_imported_prints_no_traceback(name: str) -> None:
    """The process ends as any does that the signal meets."""
    module = "entrypoints.cli.server" if name == "server" else "entrypoints.cli.main"
    code = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        f"from entrypoints.cli.starting_up import {name}\n"
        f"{name}()\n"
    )
    heeding = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{code}"
    ran = subprocess.run([sys.executable, "-c", heeding], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("30s", 30),
        ("10m", 600),
        ("1h", 3600),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5H", 5400),
        ("2d", 172_800),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    """A bare number is seconds."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "1x", "-5s", "0", "0s", "1 hour", "1e9", "٣s", "9999d", "nan", "1h-30m"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError):  # noqa: PT011  # its text is the input
        seconds_of(text)


@given(st.floats(min_value=0, max_value=1e7))
def test_every_duration_has_words(seconds: float) -> None:
    """Short enough for a column."""
    assert 0 < len(in_words(seconds)) < 16


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("localhost:9000", "http://localhost:9000"),
        ("https://ff.example/base/api/v1/", "https://ff.example/base"),
        ("http://0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://[::]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_is_taken_as_people_give_it(text: str, url: str) -> None:
    """With or without scheme, slash and the API's own path."""
    assert server_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "http://", "ftp://h", "http://h:99999", "http://u:p@h", "http://h/?a=b", "http://[::1", "h\n"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Before anything is sent anywhere."""
    if text == "h\n":
        assert server_url(text) == "http://h"
        return
    with pytest.raises(InvalidAddress):
        server_url(text)


@pytest.mark.parametrize(
    ("words", "mode", "meant"),
    [
        (("how do I build an index",), None, ("hybrid", "how do I build an index")),
        (("partial", "index"), None, ("hybrid", "partial index")),
        (("semantic", "a b"), None, ("semantic", "a b")),
        (("keyword", "a", "b"), None, ("keyword", "a b")),
        (("semantic",), None, ("hybrid", "semantic")),
        (("semantic", "search"), "keyword", ("keyword", "semantic search")),
        (("semantic search",), None, ("hybrid", "semantic search")),
    ],
)
def test_a_search_is_told_by_its_first_word_or_by_mode(
    words: tuple[str, ...], mode: str | None, meant: tuple[str, str]
) -> None:
    """The documented spelling `search semantic Q`, the option, and a query alone."""
    assert mode_and_query(words, mode) == meant


def test_overrides_are_json_where_they_can_be() -> None:
    """Dots make fields within fields; what is no JSON is text."""
    texts = [
        "n=5",
        "on=true",
        "url=https://a.b/?q=1",
        "filter.lang=en",
        "filter.max=2",
        "list=[1,2]",
        "empty=",
        "x=NaN",
    ]
    assert overrides_of(texts) == {
        "n": 5, "on": True, "url": "https://a.b/?q=1", "filter": {"lang": "en", "max": 2}, "list": [1, 2], "empty": "", "x": "NaN",
    }  # fmt: skip


@pytest.mark.parametrize("texts", [["n"], ["=1"], ["a..b=1"], ["a=1", "a.b=2"]])
def test_an_override_that_cannot_be_meant_is_a_usage_error(texts: list[str]) -> None:
    """Nothing is started."""
    with pytest.raises(click.UsageError):
        overrides_of(texts)


@given(st.text(max_size=20))
def test_no_id_leads_to_another_place(part: str) -> None:
    """Whatever a person gives as an id stays one part of the path, or is refused."""
    try:
        path = address("executions", part)
    except Invalid:
        return
    assert path.startswith("/api/v1/executions/")
    assert "/../" not in path + "/"
    assert not set(path) & set("?# \n\\")


def test_a_key_that_ends_like_the_metadata_operation_stays_a_key() -> None:
    """The server tells the two apart by the escaped slash."""
    assert address("storage", "objects", "a/metadata") == "/api/v1/storage/objects/a%2Fmetadata"


@given(st.text(max_size=200))
def test_shown_text_cannot_command_a_terminal(text: str) -> None:
    """No control character but line break and tab comes through; on one line not even these."""
    shown = harmless(text)
    assert len(shown) == len(text)
    assert all(character in "\n\t" or character.isprintable() or ord(character) > 0x9F for character in shown)
    assert "\x1b" not in shown
    assert "\n" not in one_line(text)


def test_each_kind_of_error_has_its_own_exit_code() -> None:
    """And a status leads to the kind that leads to the code."""
    assert len(set(KINDS.values())) == len(KINDS) == 5
    kinds = {
        400: Invalid,
        422: Invalid,
        403: Refused,
        404: NotFound,
        409: Conflict,
        412: Conflict,
        429: Refused,
        503: Unavailable,
    }
    assert {status: kind_of(status) for status in kinds} == kinds
    for code in ("status_change_not_allowed", "index_exists"):
        assert exit_code_of(problem_error(400, json.dumps({"error_code": code}).encode(), "u")) == 5
    assert exit_code_of(problem_error(400, b'{"error_code": ["x"]}', "u")) == 2
    assert exit_code_of(kind_of(500)("broken")) == exit_code_of(ValueError()) == 1


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (factflow, ["nonsense"]), (factflow, ["search"]), (factflow, ["search", " "]), (factflow, ["--timeout", "x", "search", "q"]),
        (factflow, ["search", "q", "--limit", "0"]), (factflow, ["storage", "list"]), (factflow, ["execution", "list", "--status", "odd"]),
        (factflow, []), (factflow, ["config"]), (server, []), (server, ["serve", "--prot", "1"]), (server, ["eval", "/nowhere/at/all"]),
    ],
)  # fmt: skip
def test_a_mistyped_command_is_exit_code_2(
    command: click.Command, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the usage on standard error and nothing on standard output."""
    assert reporting.run(command, "factflow", arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "sage: factflow" in captured.err


def test_bad_settings_are_all_said_and_nothing_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line for the error, one for each setting."""
    monkeypatch.setenv("FACTFLOW_LOG_LEVEL", "loud")
    assert reporting.run(server, "server", ["serve", "--embedded", "--port", "70000"]) == 2
    assert capsys.readouterr().err == (
        "error: 2 settings cannot be used (invalid_settings)\n"
        "  --port is '70000', and must be a whole number from 0 to 65535\n"
        "  FACTFLOW_LOG_LEVEL is 'loud', and must be one of debug, info, warning, error\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (NotFound("no such thing"), 4, "error: no such thing (not_found)\n"),
        (
            PermissionError(13, "Permission denied"),
            1,
            "error: Permission denied (system_error)\n  FACTFLOW_DEBUG=1",
        ),
        (ZeroDivisionError(), 1, "error: ZeroDivisionError (internal_error)\n"),
        (
            ModuleNotFoundError("No module named 'x'"),
            1,
            "error: ModuleNotFoundError: No module named 'x' (internal_error)\n  the environment is older than the code",
        ),
        (
            Unavailable("two\nlines \x1b[2J"),
            7,
            "error: two lines \N{REPLACEMENT CHARACTER}[2J (unavailable)\n",
        ),
        (KeyboardInterrupt(), 130, "\nstopped\n"),
        (click.Abort(), 130, "\nstopped\n"),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a traceback; run in a process of its own, because a broken pipe costs it its standard output."""
    monkeypatch.delenv("FACTFLOW_DEBUG", raising=False)
    script = (
        "import sys, click; from domain.errors import *; from entrypoints.cli import reporting\n"
        "@click.command()\n"
        f"def failing(): raise {error!r}\n".replace("Abort()", "click.Abort()")
        + "sys.exit(reporting.run(failing, 'failing', []))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.startswith(told)
    assert "Traceback" not in ran.stderr


def test_the_traceback_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """FACTFLOW_DEBUG=1."""
    monkeypatch.setenv("FACTFLOW_DEBUG", "1")
    reporting.report(ValueError("odd"))
    assert "ValueError: odd\nerror: ValueError: odd (internal_error)\n" in capsys.readouterr().err
