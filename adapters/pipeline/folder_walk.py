"""Walks through a folder tree without holding up the event loop and without stopping at what cannot be read."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.errors import Invalid, NotFound, Refused


class FolderNotFound(NotFound):
    """The folder does not exist on this server."""

    code = "folder_not_found"


class NotAFolder(Invalid):
    """The path is not a folder."""

    code = "not_a_folder"


class FolderNotPermitted(Refused):
    """The server may not read the folder."""

    code = "folder_not_permitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file, or what cannot be read (``problem``), by its path below the folder, with ``/`` between the parts."""

    name: str
    path: str
    size: int | None = None
    modified_at: str | None = None
    problem: str | None = None
    is_folder: bool = False
    identity: tuple[int, int] | None = None


@dataclass(slots=True, kw_only=True)
class FolderWalk:
    """One walk. ``is_complete`` is true until a folder could not be read; ``skipped`` counts links and special files."""

    folder: str
    prunes: Callable[[str], bool]
    follow_symlinks: bool = False
    is_complete: bool = True
    skipped: int = 0
    _visited: set[tuple[int, int]] = field(default_factory=set)

    async def files(self) -> AsyncIterator[FoundFile]:
        """Every file in the order of their names, folder by folder. Raises when the folder itself cannot be read."""
        try:
            waiting = [iter(await self._listed("", self.folder))]
        except OSError as error:
            raise FolderNotFound(f"the folder {self.folder!r} can no longer be read") from error
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
            elif not entry.is_folder or entry.problem:
                self.is_complete = self.is_complete and not (entry.is_folder and entry.problem)
                yield entry
            elif self._is_new(entry):
                try:
                    waiting.append(iter(await self._listed(entry.name, entry.path)))
                except OSError as error:
                    self.is_complete = False
                    yield FoundFile(name=entry.name, path=entry.path, problem=_reason(error))

    async def require_readable(self) -> None:
        """Raise FolderNotFound, NotAFolder or FolderNotPermitted unless the folder can be read."""
        try:
            identity = await asyncio.to_thread(_open_folder, self.folder)
        except FileNotFoundError as error:
            raise FolderNotFound(f"the folder {self.folder!r} does not exist on this server") from error
        except NotADirectoryError as error:
            raise NotAFolder(f"{self.folder!r} is not a folder") from error
        except PermissionError as error:
            raise FolderNotPermitted(f"the server may not read the folder {self.folder!r}") from error
        except (OSError, ValueError) as error:
            raise NotAFolder(f"the folder {self.folder!r} cannot be read: {error}") from error
        self._visited.add(identity)

    async def _listed(self, name: str, path: str) -> list[FoundFile]:
        entries, skipped = await asyncio.to_thread(self._list, name, path)
        self.skipped += skipped
        return entries

    def _list(self, below: str, path: str) -> tuple[list[FoundFile], int]:
        entries: list[FoundFile] = []
        skipped = 0
        for entry in _sorted_entries(path):
            name = f"{below}/{entry.name}" if below else entry.name
            if self.prunes(name):
                continue
            found = self._found(entry, name)
            if found is None:
                skipped += 1
            else:
                entries.append(found)
        return entries, skipped

    def _found(self, entry: os.DirEntry[str], name: str) -> FoundFile | None:
        if not _is_unicode(name):
            return FoundFile(
                name=_shown(name),
                path=_shown(entry.path),
                problem="its name is not valid UTF-8; rename it",
                is_folder=entry.is_dir(follow_symlinks=False),
            )
        try:
            status = entry.stat(follow_symlinks=self.follow_symlinks)
        except OSError as error:
            # It may be a folder with documents beneath, unless it is a link to nothing.
            may_be_folder = not isinstance(error, FileNotFoundError) and not _is_known_file(entry)
            return FoundFile(name=name, path=entry.path, problem=_reason(error), is_folder=may_be_folder)
        is_folder = stat.S_ISDIR(status.st_mode)
        if not is_folder and not stat.S_ISREG(status.st_mode):
            return None
        return FoundFile(
            name=name,
            path=entry.path,
            size=status.st_size,
            modified_at=_moment(status.st_mtime),
            is_folder=is_folder,
            identity=(status.st_dev, status.st_ino),
        )

    def _is_new(self, entry: FoundFile) -> bool:
        """Whether a folder has not been walked through yet; links may lead to one again, and in a circle."""
        if not self.follow_symlinks or entry.identity is None:
            return True
        if entry.identity in self._visited:
            self.skipped += 1
            return False
        self._visited.add(entry.identity)
        return True


def _open_folder(path: str) -> tuple[int, int]:
    with os.scandir(path) as entries:
        next(entries, None)
    status = os.stat(path)  # noqa: PTH116 - the path may not be one that pathlib takes
    return status.st_dev, status.st_ino


def _is_known_file(entry: os.DirEntry[str]) -> bool:
    """Whether the folder itself says that the entry is a file; asks nothing else."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _sorted_entries(path: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        yield from sorted(entries, key=lambda entry: entry.name)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


def _moment(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def _reason(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or type(error).__name__}"
