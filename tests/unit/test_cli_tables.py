"""Tables for people: in a pipe, on a terminal, and on a narrow one."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from entrypoints.cli.tables import Column, age, aligned, in_words, moment, passage, print_fitted, record

COLUMNS = (Column("id", "id"), Column("status", "status"), Column("messages", "messages", is_number=True))
ROW = {"id": "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55", "status": "running", "messages": 12}


def fitted(width: int, *rows: dict[str, object], **options: object) -> str:
    target = io.StringIO()
    console = Console(file=target, width=width, markup=False, highlight=False, emoji=False, **options)  # type: ignore[arg-type]
    print_fitted(COLUMNS, [[column.text(row) for column in COLUMNS] for row in rows], console)
    return target.getvalue()


@pytest.mark.parametrize("width", [16, 20, 40, 53, 60, 80, 200])
def test_no_line_but_an_id_is_broader_than_the_terminal(width: int) -> None:
    """And no id is ever cut, so that it can be copied."""
    text = fitted(width, ROW, ROW)
    assert text.count(str(ROW["id"])) == 2
    assert all(len(line) <= max(width, 46) for line in text.splitlines())


def test_a_narrow_terminal_gets_the_id_on_a_line_of_its_own() -> None:
    """The rest stands below it, in columns."""
    lines = [line.rstrip() for line in fitted(40, ROW).splitlines()]
    assert lines == ["ID", "  STATUS   MESSAGES", str(ROW["id"]), "  running        12"]


def test_a_very_narrow_terminal_gets_a_record_a_row() -> None:
    """Names to the left, values to the right, a blank line between."""
    lines = fitted(16, ROW).splitlines()
    assert lines == [f"id        {ROW['id']}", "status    running", "messages  12", ""]


def test_markup_and_emoji_in_a_cell_stay_text() -> None:
    """A tag is whatever a person called it."""
    assert "[red]:smile:" in fitted(100, ROW | {"status": "[red]:smile:"})


def test_colours_stay_away_from_who_does_not_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR on a terminal."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[3" not in fitted(100, ROW, force_terminal=True)


@given(
    st.lists(
        st.fixed_dictionaries({"id": st.text(), "status": st.text(), "messages": st.integers()}), max_size=5
    )
)
def test_in_a_pipe_each_row_is_one_line(rows: list[dict[str, object]]) -> None:
    """Whatever the cells hold."""
    cells = [[column.text(row) for column in COLUMNS] for row in rows]
    lines = aligned(COLUMNS, cells).split("\n")
    assert len(lines) == len(rows) + 2
    assert all(cell for line in cells for cell in line)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (True, "yes"),
        (0.5, "0.500"),
        (1234.5, "1,234"),
        ([], "-"),
        (["a", 1], "a, 1"),
        ({"a": None}, "a=-"),
        ("", ""),
    ],
)
def test_a_json_value_has_words(value: object, words: str) -> None:
    """Nothing is shown as Python writes it."""
    assert in_words(value) == words


@pytest.mark.parametrize("value", [None, "", "soon", 5, "9999-99-99", "0001-01-01T00:00:00Z", {"a": 1}])
def test_a_moment_that_is_none_is_shown_as_it_is(value: object) -> None:
    """Another version of the server may say anything."""
    assert isinstance(moment(value), str)


def test_a_moment_is_told_in_this_machines_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the second."""
    assert moment("2026-04-22T18:30:00.123456+00:00")[4:8] == "-04-"


@pytest.mark.parametrize(
    ("ago", "words"), [(0, "now"), (5, "5 s"), (150, "2 m"), (7300, "2 h"), (900_000, "10 d"), (-60, "now")]
)
def test_an_age_is_short(ago: int, words: str) -> None:
    """Also when the server's clock is ahead."""
    assert age((datetime.now(UTC) - timedelta(seconds=ago, milliseconds=200)).isoformat()) == words


@given(st.text(max_size=2000), st.integers(min_value=0, max_value=8))
def test_a_passage_is_a_short_beginning(text: str, indent: int) -> None:
    """A few lines of it."""
    assert len(passage(text, indent=indent)) <= 300 + 20 * (indent + 1)


def test_a_record_lines_its_values_up() -> None:
    """The longest name sets the column."""
    assert record([("id", "1"), ("status", "x")]) == "id      1\nstatus  x"
