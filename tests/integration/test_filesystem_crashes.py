"""Killed writers leave whole objects and no litter."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.filesystem.storage import FilesystemObjectStorage
from domain.storage import SIDECAR_SUFFIX

PROGRAM = Path(__file__).with_name("killed_writer.py")


async def whole_objects(root: Path) -> int:
    """Open the storage and check every object in it; how many there are."""
    count = 0
    async with FilesystemObjectStorage(root) as storage:
        async for stored in storage.list():
            content = await storage.read(stored.key)
            assert len(content) == stored.size == 1_600_000
            assert content == content[:8] * 200_000
            assert stored.checksum == hashlib.sha256(content).hexdigest()
            assert stored.metadata == {"number": int(content[:8])}
            count += 1
    return count


def litter(root: Path) -> list[str]:
    """Files that belong to no object; an empty folder may remain where a deletion was cut short."""
    files = {path for path in root.rglob("*") if path.is_file()}
    orphans = [
        path
        for path in files
        if path.name.endswith(SIDECAR_SUFFIX)
        and path.with_name(path.name.removesuffix(SIDECAR_SUFFIX)) not in files
    ]
    return [str(path) for path in files if ".incoming" in path.parts] + [str(path) for path in orphans]


@pytest.mark.slow
def test_a_writer_that_dies_at_any_step_leaves_all_or_nothing(tmp_path: Path) -> None:
    """Before each single call to the operating system; opening the storage removes what is left over."""
    subprocess.run([sys.executable, PROGRAM, "at-each-step", tmp_path], check=True, timeout=120)
    lives = list(tmp_path.iterdir())
    assert len(lives) > 30
    found = set()
    for root in lives:
        found.add(asyncio.run(whole_objects(root)))
        assert litter(root) == [], root
    assert found == {0, 1, 2, 3}


@pytest.mark.slow
def test_writers_killed_in_full_flight_leave_whole_objects(tmp_path: Path) -> None:
    """Several times over the same folder, with replacements, streams and writes that keep what is there."""
    for round_number in range(6):
        writer = subprocess.Popen([sys.executable, PROGRAM, "for-ever", tmp_path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        time.sleep(0.1 + 0.05 * round_number)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        asyncio.run(whole_objects(tmp_path))
        assert litter(tmp_path) == []
    assert asyncio.run(whole_objects(tmp_path)) > 0
