"""Folders on the way from the root to an object. Symbolic links beneath the root are never followed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(root: int, names: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """A descriptor of the folder at the end of the names; raises FileNotFoundError when it is not there."""
    # Opened anew, since a duplicated descriptor would share its lock.
    descriptor = os.open(".", FOLDER, dir_fd=root)
    try:
        for name in names:
            descriptor = _step(descriptor, name, create=create)
        yield descriptor
    finally:
        os.close(descriptor)


def _step(folder: int, name: str, *, create: bool) -> int:
    try:
        below = os.open(name, FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
            os.fsync(folder)
        below = os.open(name, FOLDER, dir_fd=folder)
    os.close(folder)
    return below


@contextmanager
def locked(folder: int) -> Iterator[None]:
    """Sole right to change what the folder holds, among all processes and threads that ask for it in this way."""
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def remove_empty(root: int, names: Sequence[str]) -> None:
    """Remove the folder at the end of the names and those above it, up to the first that holds something."""
    for length in range(len(names), 0, -1):
        try:
            os.rmdir("/".join(names[:length]), dir_fd=root)
        except FileNotFoundError:
            continue
        except OSError:
            return
