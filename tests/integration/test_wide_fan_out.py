"""However many messages one message becomes, they take no more memory than a window of them does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.postgres.database import Database
from tests.services import needs

PROGRAM = Path(__file__).with_name("wide_fan_out.py")
ROOT = PROGRAM.parents[2]
MOST_KILOBYTES = 400 * 1024
GROWTH_KILOBYTES = 24 * 1024
"""What an allocator and the caches of a driver may take on top after the first tenth."""


def fanned_out(url: str, count: int) -> dict[str, Any]:
    """What a process of its own tells, without anything of this one in its memory."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), url, str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(
    "count",
    [pytest.param(20_000, marks=pytest.mark.slow), pytest.param(1_000_000, marks=pytest.mark.soak)],
)
async def test_a_fan_out_takes_no_more_memory_the_wider_it_is(database: Database, count: int) -> None:
    """Every one is settled, and after the first tenth memory is flat."""
    needs("/proc/self/status", sys.platform == "linux", how="Linux has it")
    told = await asyncio.to_thread(fanned_out, database.url, count)
    assert (told["status"], told["done"], told["dead"]) == ("completed", count + 1, 0)
    first, *later = told["tenths"]
    assert len(later) == 9
    assert max(later) - first <= GROWTH_KILOBYTES, told
    assert told["most"] <= MOST_KILOBYTES, told
