"""Files on their way in: written where no reader looks, moved into place when whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

from adapters.filesystem.disk_names import INCOMING

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_CAN_ADVISE = hasattr(os, "posix_fadvise")


class Draft:
    """One file on its way in, made when it is first written to.

    ``in_use`` is held while a thread works with it; discarding waits for that, since a task that is cancelled does not
    stop the thread it was waiting for.
    """

    def __init__(self, folder: int, name: str) -> None:
        self.folder = folder
        self.name = name
        self.size = 0
        self.in_use = threading.RLock()
        self._sha256 = hashlib.sha256()
        self._file = -1

    @property
    def checksum(self) -> str:
        """Hex SHA-256 of what was written so far."""
        return self._sha256.hexdigest()

    def write(self, content: bytes) -> None:
        with self.in_use:
            file, rest = self._opened(), memoryview(content)
            while rest:
                rest = rest[os.write(file, rest) :]
            self._sha256.update(content)
            self.size += len(content)

    def begin_to_finish(self) -> None:
        """Let the system begin to write the content to the disk, where it can be told to, without waiting for that."""
        with self.in_use:
            file = self._opened()
            if _CAN_ADVISE:
                # Said of what is not on the disk yet, this means: write it now. Nothing is lost when it is refused.
                with suppress(OSError):
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    def finish(self) -> os.stat_result:
        """Have the content on the disk itself, and close the file."""
        with self.in_use:
            file = self._opened()
            os.fsync(file)
            status = os.fstat(file)
            self._close()
        return status

    def discard(self) -> None:
        """Close and remove what is left of it; after it was moved into place this changes nothing."""
        with self.in_use:
            self._close()
            with suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self.folder)

    def _opened(self) -> int:
        if self._file < 0:
            self._file = os.open(self.name, _NEW_FILE, 0o644, dir_fd=self.folder)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


class Incoming:
    """This process's folder of drafts, ``.incoming/<token>``, locked as long as the process lives."""

    def __init__(self, path: Path, folder: int) -> None:
        self._numbers = count()
        self._path = path
        self._folder = folder

    def draft(self, *, beside: Draft | None = None, ending: str = "") -> Draft:
        """A new empty draft; ``beside`` another one it bears that one's name with an ending."""
        return Draft(self._folder, (beside.name if beside else str(next(self._numbers))) + ending)

    def close(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
        os.close(self._folder)


def open_incoming(root: Path) -> Incoming:
    """Make and lock a folder of drafts for this process."""
    while True:
        path = root / INCOMING / uuid4().hex
        path.mkdir(parents=True)
        # Another process that opens the storage may take the folder for abandoned before it is locked.
        with suppress(FileNotFoundError):
            descriptor = os.open(path, _FOLDER)
            if _lock(descriptor) and path.exists():
                return Incoming(path, descriptor)
            os.close(descriptor)


def abandoned_folders(root: Path) -> Iterator[Path]:
    """The draft folders of processes that died; each is removed when the caller is finished with it."""
    for folder in sorted((root / INCOMING).iterdir()):
        with suppress(FileNotFoundError, NotADirectoryError), _opened(folder) as descriptor:
            if _lock(descriptor):
                yield folder
                shutil.rmtree(folder, ignore_errors=True)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
