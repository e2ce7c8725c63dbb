"""ZIP files as they are written, read by Python's own reader and by the system's."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.zip_file import UnpackableName, ZipFile

AT = datetime(2026, 3, 1, 12, 30, 8, tzinfo=UTC)


def written(entries: list[tuple[str, list[bytes]]], at: datetime = AT) -> bytes:
    """The whole file."""
    file, content, directory = ZipFile(), bytearray(), bytearray()
    for name, pieces in entries:
        content += file.begin(name, modified_at=at)
        for piece in pieces:
            content += file.piece(piece)
        content += file.end()
        directory += file.record
    return bytes(content + directory) + file.last()


@given(
    st.lists(
        st.tuples(
            st.text("abc/ä€🦓", min_size=1, max_size=20), st.lists(st.binary(max_size=200), max_size=4)
        ),
        unique_by=lambda entry: entry[0],
        max_size=6,
    )
)
def test_what_is_packed_is_read_back(entries: list[tuple[str, list[bytes]]]) -> None:
    with zipfile.ZipFile(io.BytesIO(written(entries))) as file:
        assert file.namelist() == [name for name, _ in entries]
        assert file.testzip() is None
        assert [file.read(info) for info in file.infolist()] == [b"".join(pieces) for _, pieces in entries]


def test_entries_have_their_time_and_can_be_read_by_their_owner() -> None:
    with zipfile.ZipFile(io.BytesIO(written([("a", [b"x"])]))) as file:
        (info,) = file.infolist()
    assert (info.date_time, info.external_attr >> 16) == ((2026, 3, 1, 12, 30, 8), 0o100644)


@pytest.mark.parametrize(("year", "told"), [(1970, 1980), (2200, 2107)])
def test_times_that_the_format_lacks_become_the_nearest_it_has(year: int, told: int) -> None:
    content = written([("a", [])], datetime(year, 5, 5, tzinfo=UTC))
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.infolist()[0].date_time[0] == told


@pytest.mark.slow
def test_more_entries_than_old_readers_count_are_all_there() -> None:
    content = written([(str(number), []) for number in range(70_000)])
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert len(file.namelist()) == 70_000


def test_a_name_has_a_length_that_fits() -> None:
    with pytest.raises(UnpackableName):
        ZipFile().begin("x" * 70_000, modified_at=AT)


@pytest.mark.slow
def test_the_systems_reader_reads_it_too(tmp_path: Path) -> None:
    program = shutil.which("unzip") or shutil.which("bsdtar")
    if program is None:
        pytest.skip("there is no unzip here")
    path = tmp_path / "a.zip"
    path.write_bytes(written([("a/ä.md", [b"one ", b"two"]), ("b", [])]))
    arguments = [program, "-t", str(path)] if program.endswith("unzip") else [program, "-tf", str(path)]
    assert subprocess.run(arguments, capture_output=True, check=False).returncode == 0
