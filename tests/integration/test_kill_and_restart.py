"""A server that is killed in the middle of its work finishes it after a restart, as if nothing had been."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.integration.served import Served, segments_in, serving

WORDS = [
    "ledger",
    "route",
    "queue",
    "stage",
    "segment",
    "engine",
    "lineage",
    "claim",
    "settle",
    "index",
    "vector",
    "page",
    "folder",
]


def written_folder(folder: Path, *, files: int, seed: int = 7) -> Path:
    """A folder of Markdown files with a few sections each, the same for the same seed."""
    chance = random.Random(seed)
    folder.mkdir()
    for number in range(files):
        sections = [
            f"## Part {part}\n\n{' '.join(chance.choices(WORDS, k=70))} {number}.{part}.\n"
            for part in range(3)
        ]
        (folder / f"file-{number:03}.md").write_text(f"# File {number}\n\n" + "\n".join(sections))
    return folder


def wait_until_settled(served: Served, messages: int) -> None:
    """Return when the latest execution has settled so many messages."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        executions = served.executions()
        if executions and served.get(f"/executions/{executions[0]['id']}/monitor"):
            metrics = served.get(f"/executions/{executions[0]['id']}/monitor")["metrics"]
            if metrics["completed"] + metrics["failed"] >= messages:
                return
        time.sleep(0.02)
    raise AssertionError(f"{messages} messages were not settled in time")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[object, ...]]]:
    """A folder, and the segments of a run over it that nothing disturbs."""
    place = tmp_path_factory.mktemp("undisturbed")
    folder = written_folder(place / "docs", files=40)
    with serving(place / "data", folder, place / "log") as served:
        served.wait_until_greeted()
        assert served.stop() == 0
    segments = segments_in(place / "data")
    assert len(segments) >= 40
    return folder, segments


@pytest.mark.slow
@pytest.mark.parametrize(
    "moments", [[60], pytest.param([3, 20, 50, 70, 90], marks=pytest.mark.soak)], ids=["once", "five times"]
)
def test_a_killed_server_finishes_after_a_restart(
    moments: list[int], undisturbed: tuple[Path, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    """With exactly the segments of an undisturbed run, and with nothing dead."""
    folder, expected = undisturbed
    data = tmp_path / "data"
    for attempt, moment in enumerate(moments):
        with serving(data, folder, tmp_path / f"log-{attempt}") as served:
            wait_until_settled(served, moment)
            served.kill()
    with serving(data, folder, tmp_path / "log") as served:
        log = served.wait_until_greeted()
        executions = served.executions()
        assert served.stop() == 0
    assert "resuming execution" in log
    assert {execution["status"] for execution in executions} == {"completed"}
    assert segments_in(data) == expected


@pytest.mark.slow
def test_a_server_stopped_in_the_middle_resumes(
    undisturbed: tuple[Path, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    """Ctrl-C marks the run as interrupted; the next start takes it up."""
    folder, expected = undisturbed
    data = tmp_path / "data"
    with serving(data, folder, tmp_path / "log-0") as served:
        wait_until_settled(served, 60)
        assert served.stop() == 0
    with serving(data, folder, tmp_path / "log-1") as served:
        log = served.wait_until_greeted()
        assert served.stop() == 0
    assert "resuming execution" in log
    assert segments_in(data) == expected


@pytest.mark.slow
def test_a_changed_folder_changes_the_index_alone_where_it_changed(tmp_path: Path) -> None:
    """An unchanged file is not embedded again, a changed one replaces its segments, a deleted one takes them along."""
    folder = written_folder(tmp_path / "docs", files=6)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 this is not one")
    (folder / "empty.txt").write_text("")
    data = tmp_path / "data"
    with serving(data, folder, tmp_path / "log-0") as served:
        log = served.wait_until_greeted()
        assert "broken.pdf" in log
        assert "empty.txt" in log
        assert served.stop() == 0
    before = segments_in(data)
    (folder / "file-000.md").unlink()
    (folder / "file-001.md").write_text("# File 1\n\nAll of it is new.\n")
    with serving(data, folder, tmp_path / "log-1") as served:
        served.wait_until_greeted()
        latest = served.executions()[0]
        monitor = served.get(f"/executions/{latest['id']}/monitor")
        assert served.stop() == 0
    after = segments_in(data)
    kept = [row for row in before if row[0] not in {"file-000.md", "file-001.md"}]
    assert [row for row in after if row[0] != "file-001.md"] == kept
    assert [row[3] for row in after if row[0] == "file-001.md"] == ["# File 1\n\nAll of it is new."]
    assert monitor["execution"]["status"] == "completed"
