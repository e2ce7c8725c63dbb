"""What holds for a whole run of the tests: where temporary files lie, and what is never garbage."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # the files in it have names that nobody can guess
ROOM = 4 * 2**30


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare for the tests that were chosen."""
    _keep_files_in_memory(session.items)
    # What is imported and collected stays, and each full collection of garbage would walk it.
    gc.collect()
    gc.freeze()


def _keep_files_in_memory(chosen: list[pytest.Item]) -> None:
    """Where there is room for them, unless `TMPDIR` says where: tests kill processes, and never the machine.

    Soak tests write too much for that, and by the way show that all is well on a disk.
    """
    if "TMPDIR" in os.environ or any(item.get_closest_marker("soak") for item in chosen):
        return
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)
