"""What holds for a whole run of the tests: how much is tried, where temporary files lie, what is never garbage."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # the files in it have names that nobody can guess
ROOM = 4 * 2**30
FAST_EXAMPLES = 20
"""How many of a property's hundred the fast level tries, unless the test says how many it needs."""


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples where the slow tests are left out: before the tests are imported, which is when it counts."""
    if "not slow" in config.getoption("markexpr"):
        settings.register_profile("fast", settings(max_examples=FAST_EXAMPLES))
        settings.load_profile("fast")


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
