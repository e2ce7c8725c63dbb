"""The blocking half of the file storage: each method runs from beginning to end in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from adapters.filesystem.disk_names import INCOMING, on_disk
from adapters.filesystem.files import beside, described_file, fetched_file, open_file, remove, status_of
from adapters.filesystem.folders import FOLDER, locked, opened, remove_empty
from adapters.filesystem.incoming import Draft, Incoming, abandoned_folders, open_incoming
from adapters.filesystem.listing import walk
from adapters.filesystem.passage import Passage, take_to_their_places
from adapters.filesystem.sidecar import Description, key_in
from adapters.filesystem.spreading import spread_over_disk
from domain.storage import SIDECAR_SUFFIX, InvalidKey, ObjectNotFound, StoredObject, require_valid_key

SMALL = 64 * 1024


class Whole(NamedTuple):
    """An object to be stored. With ``if_absent`` one that is there stays."""

    content: bytes
    description: Description
    if_absent: bool


class ObjectFiles:
    """Objects and their sidecars under one root, shared with other threads and processes.

    The folder of an object is locked while its two files are put in place or removed, so that they belong together
    whoever else writes.
    """

    def __init__(self, path: Path, root: int, incoming: Incoming) -> None:
        self._path = path
        self._root = root
        self._incoming = incoming

    def close(self) -> None:
        self._incoming.close()
        os.close(self._root)

    def draft(self) -> Draft:
        """Where to write a content that comes in pieces; to be committed, and discarded in any case."""
        return self._incoming.draft()

    def write(self, content: bytes, description: Description, *, if_absent: bool) -> StoredObject:
        """Store a whole content at once; raises OSError."""
        (stored,) = self.write_all([Whole(content, description, if_absent)])
        return _unless_error(stored)

    def write_all(self, objects: Sequence[Whole]) -> Sequence[StoredObject | OSError]:
        """Store whole contents together; what is stored of each, or why it is not."""
        passages = [
            self._passage(self.draft(), whole.description, if_absent=whole.if_absent) for whole in objects
        ]
        try:
            for passage, whole in zip(passages, objects, strict=True):
                self._draft_content(passage, whole.content)
            take_to_their_places(self._root, passages)
        finally:
            for passage in passages:
                passage.discard()
        return [_outcome(passage) for passage in passages]

    def _draft_content(self, passage: Passage, content: bytes) -> None:
        with passage.failing():
            # To look first costs a small object more than to draft it in vain: mostly there is nothing.
            if passage.if_absent and len(content) > SMALL:
                passage.outcome = self.head(passage.description.key)
            if passage.outcome is None:
                passage.draft.write(content)

    def commit(self, draft: Draft, description: Description, *, if_absent: bool) -> StoredObject:
        """Make what was drafted visible under its key; with ``if_absent`` an object that is there stays."""
        with draft.in_use:
            passage = self._passage(draft, description, if_absent=if_absent)
            try:
                take_to_their_places(self._root, [passage])
            finally:
                passage.discard()
        return _unless_error(_outcome(passage))

    def _passage(self, draft: Draft, description: Description, *, if_absent: bool) -> Passage:
        sidecar = self._incoming.draft(beside=draft, ending=SIDECAR_SUFFIX)
        return Passage(description=description, if_absent=if_absent, draft=draft, sidecar=sidecar)

    def head(self, key: str) -> StoredObject | None:
        names, name = on_disk(key)
        with suppress(FileNotFoundError, NotADirectoryError), opened(self._root, names) as folder:
            return described_file(folder, name, key)
        return None

    def fetch_all(self, keys: Sequence[str]) -> Sequence[tuple[StoredObject, bytes] | OSError | None]:
        """Objects with their contents, None for those that are not there, or why one cannot be read."""
        return [self._fetched(key) for key in keys]

    def _fetched(self, key: str) -> tuple[StoredObject, bytes] | OSError | None:
        names, name = on_disk(key)
        try:
            with suppress(FileNotFoundError, NotADirectoryError), opened(self._root, names) as folder:
                return fetched_file(folder, name, key)
        except OSError as error:
            return error
        return None

    def open(self, key: str, start: int = 0) -> BufferedReader:
        """The content from a byte on, to be read and closed; raises ObjectNotFound."""
        names, name = on_disk(key)
        with suppress(FileNotFoundError, NotADirectoryError), opened(self._root, names) as folder:
            file = open_file(folder, name)
            if file is not None:
                file.seek(start)
                return file
        raise ObjectNotFound(f"there is no stored object {key!r}")

    def read(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()

    def list(self, prefix: str, after: str) -> Iterator[StoredObject]:
        for key, path in walk(str(self._path), prefix, after):
            stored = described_file(None, path, key)
            if stored is not None:
                yield stored

    def delete(self, key: str) -> bool:
        names, name = on_disk(key)
        with suppress(FileNotFoundError, NotADirectoryError), opened(self._root, names) as folder:
            with locked(folder):
                if status_of(folder, name) is None:
                    return False
                remove(self._incoming.draft(ending=SIDECAR_SUFFIX), folder, name)
            remove_empty(self._root, names)
            return True
        return False


def _outcome(passage: Passage) -> StoredObject | OSError:
    if passage.outcome is None:  # pragma: no cover (every passage comes to an end)
        raise RuntimeError("an object is neither stored nor refused")
    return passage.outcome


def _unless_error(outcome: StoredObject | OSError) -> StoredObject:
    if isinstance(outcome, OSError):
        raise outcome
    return outcome


def open_files(root: Path) -> ObjectFiles:
    """Make the root unless it is there, and finish what crashed writers left half done."""
    (root / INCOMING).mkdir(parents=True, exist_ok=True)
    # A file stays where it is made, and all are made there.
    spread_over_disk(root / INCOMING)
    path = root.resolve()
    descriptor = os.open(path, FOLDER)
    try:
        _finish_what_was_cut_off(path, descriptor)
        return ObjectFiles(path, descriptor, open_incoming(path))
    except BaseException:
        os.close(descriptor)
        raise


def _finish_what_was_cut_off(path: Path, root: int) -> None:
    for folder in abandoned_folders(path):
        for sidecar in folder.glob("*" + SIDECAR_SUFFIX):
            with suppress(InvalidKey):
                _finish(root, sidecar, require_valid_key(key_in(sidecar.read_bytes()) or ""))


def _finish(root: int, sidecar: Path, key: str) -> None:
    """Put an object in place whose sidecar is there; or remove a sidecar whose object was deleted."""
    names, name = on_disk(key)
    with suppress(FileNotFoundError, NotADirectoryError), opened(root, names) as folder, locked(folder):
        placed = status_of(folder, beside(name))
        if placed is not None and os.path.samestat(placed, sidecar.stat()):
            with suppress(FileNotFoundError):
                os.replace(str(sidecar).removesuffix(SIDECAR_SUFFIX), name, dst_dir_fd=folder)
            if status_of(folder, name) is None:
                os.unlink(beside(name), dir_fd=folder)
            os.fsync(folder)
    remove_empty(root, names)
