"""Takes new objects from where they are drafted to their places, many at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby

from adapters.filesystem.disk_names import on_disk
from adapters.filesystem.files import described_file, put_in_place
from adapters.filesystem.folders import locked, opened
from adapters.filesystem.incoming import Draft
from adapters.filesystem.sidecar import Description, encode, stored
from domain.storage import StoredObject

_MAX_ATTEMPTS = 100


@dataclass(slots=True, kw_only=True)
class Passage:
    """One object on its way: its two drafts, and what became of it (``outcome``).

    With ``if_absent`` an object that is there stays, and is the outcome.
    """

    description: Description
    if_absent: bool
    draft: Draft
    sidecar: Draft
    outcome: StoredObject | OSError | None = None
    folders: tuple[str, ...] = field(init=False)
    name: str = field(init=False)
    _stored: StoredObject | None = None
    _is_placed: bool = False

    def __post_init__(self) -> None:
        folders, self.name = on_disk(self.description.key)
        self.folders = tuple(folders)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Keep an OSError as the outcome: it is this object's alone."""
        try:
            yield
        except OSError as error:
            self.outcome = error

    def describe(self) -> None:
        """Draft the sidecar, now that the content is drafted."""
        self.sidecar.write(encode(self.description, size=self.draft.size, checksum=self.draft.checksum))

    def finish(self) -> None:
        """Have both drafts on the disk itself."""
        status = self.draft.finish()
        self.sidecar.finish()
        self._stored = stored(self.description, status, self.draft.checksum)

    def put(self, folder: int) -> None:
        """Move both files to their places in a locked folder, unless that is done."""
        if self._is_placed:
            return
        existing = described_file(folder, self.name, self.description.key) if self.if_absent else None
        if existing is not None:
            self.outcome = existing
            return
        put_in_place(self.draft, self.sidecar, folder, self.name, exclusive=self.if_absent)
        self._is_placed = True

    def arrive(self) -> None:
        """Tell what was stored, when it is there for good."""
        if self._is_placed:
            self.outcome = self._stored

    def discard(self) -> None:
        """Remove the drafts."""
        self.sidecar.discard()
        self.draft.discard()


def take_to_their_places(root: int, passages: Sequence[Passage]) -> None:
    """Give every passage without an outcome its outcome; its content is drafted.

    All are written before the first is waited for, so that the disk takes them together, and what was put into one
    folder is flushed with it once. None is told to be there before its files, its sidecar and its name are on the disk.
    """
    for passage in _open(passages):
        with passage.failing():
            passage.describe()
            passage.draft.begin_to_finish()
            passage.sidecar.begin_to_finish()
    for passage in _open(passages):
        with passage.failing():
            passage.finish()
    by_folder = sorted(_open(passages), key=_folders)
    for folders, group in groupby(by_folder, key=_folders):
        _place(root, folders, list(group))


def _place(root: int, folders: Sequence[str], passages: Sequence[Passage]) -> None:
    for _ in range(_MAX_ATTEMPTS):
        try:
            # Between its opening and its locking an empty folder can be removed: then it is made again. Where locks
            # are not honoured, another writer's object can appear: then it is found.
            with suppress(FileNotFoundError, FileExistsError), opened(root, folders, create=True) as folder:
                _put_all(folder, passages)
        except OSError as error:
            for passage in _open(passages):
                passage.outcome = error
        if not any(_open(passages)):
            return
    for passage in _open(passages):
        key = passage.description.key
        passage.outcome = FileNotFoundError(f"no place for {key!r}: its folder is removed again and again")


def _put_all(folder: int, passages: Sequence[Passage]) -> None:
    with locked(folder):
        for passage in _open(passages):
            with passage.failing(), suppress(FileNotFoundError, FileExistsError):
                passage.put(folder)
    os.fsync(folder)
    for passage in _open(passages):
        passage.arrive()


def _open(passages: Iterable[Passage]) -> list[Passage]:
    return [passage for passage in passages if passage.outcome is None]


def _folders(passage: Passage) -> tuple[str, ...]:
    return passage.folders
