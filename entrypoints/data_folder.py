"""The folder in which an embedded server keeps everything, for one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from domain.errors import Conflict, Invalid

LOCK_FILE = "lock"


class DataFolderInUse(Conflict):
    """Another server is using the data folder."""

    code = "data_folder_in_use"


class DataFolderUnusable(Invalid):
    """The data folder cannot be written to."""

    code = "data_folder_unusable"


class DataFolder:
    """Makes the folder and holds its lock while ``async with`` lasts; the lock ends with the process, however it ends.

    With ``is_shared`` others that share it are let in, and nobody who wants the folder alone.
    """

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        self.path = path.expanduser().absolute()
        self._is_shared = is_shared
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> Self:
        lock = self._opened_lock()
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if self._is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._holder()
            lock.close()
            raise DataFolderInUse(
                f"another server{holder} is using the data folder {self.path}; "
                "stop it, or choose another folder with --data-dir"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def folder(self, name: str) -> Path:
        """The place of one part in the folder."""
        return self.path / name

    def _opened_lock(self) -> IO[str]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / LOCK_FILE).open("a", encoding="utf-8")
        except OSError as error:
            raise DataFolderUnusable(
                f"the data folder {self.path} cannot be used: {error.strerror}; choose another with --data-dir"
            ) from error

    def _holder(self) -> str:
        try:
            return f" (process {int((self.path / LOCK_FILE).read_text())})"
        except (OSError, ValueError):
            return ""
