"""What holds for a whole run of the tests: how much is tried, where temporary files lie, what is never garbage."""

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # the files in it have names that nobody can guess
ROOM = 4 * 2**30
FAST_EXAMPLES = 20
"""How many of a property's hundred the fast level tries, unless the test says how many it needs."""


MOST_PROCESSES = 4
"""Each process has services of its own, so more would want more memory than they save time."""
_LEFT_OUT = pytest.StashKey[int]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes ``--numprocesses auto`` stands for."""
    return min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        MOST_PROCESSES,
    )


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what is left out; a process that another one started hands its count to that one at the end."""
    if items:
        stash = items[0].config.stash
        stash[_LEFT_OUT] = stash.get(_LEFT_OUT, 0) + len(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the count over."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = left_out(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the count from a process that has ended: all of them count the same."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def left_out(config: pytest.Config) -> int:
    """How many tests were collected and not chosen."""
    return config.stash.get(_LEFT_OUT, 0)


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
