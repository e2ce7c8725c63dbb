"""What holds for a whole run of the tests: where temporary files lie, and what is never garbage."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # the files in it have names that nobody can guess
ROOM = 4 * 2**30


def pytest_configure() -> None:
    """Keep temporary files in memory where there is room, unless `TMPDIR` says where.

    Databases and objects of tests are made and deleted by the hundred; a test kills processes, not the machine.
    """
    if "TMPDIR" in os.environ or not _has_room():
        return
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


def _has_room() -> bool:
    return os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM


def pytest_collection_finish() -> None:
    """Take what is imported and collected out of garbage collection: it stays, and each full one would walk it."""
    gc.collect()
    gc.freeze()
