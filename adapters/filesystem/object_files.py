"""The blocking half of the file storage: each method runs from beginning to end in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from adapters.filesystem.disk_names import INCOMING, on_disk
from adapters.filesystem.files import beside, described_file, open_file, put_in_place, remove, status_of
from adapters.filesystem.folders import FOLDER, locked, opened, remove_empty
from adapters.filesystem.incoming import Draft, Incoming, abandoned_folders, open_incoming
from adapters.filesystem.listing import walk
from adapters.filesystem.sidecar import Description, described, encode, key_in
from domain.storage import SIDECAR_SUFFIX, InvalidKey, ObjectNotFound, StoredObject, require_valid_key

SMALL = 64 * 1024
_MAX_ATTEMPTS = 100


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
        """Store a whole content at once."""
        # To look first costs a small object more than to draft it in vain: mostly there is nothing.
        is_small = len(content) <= SMALL
        if if_absent and not is_small and (existing := self.head(description.key)) is not None:
            return existing
        draft = self.draft()
        try:
            draft.write(content)
            return self.commit(draft, description, if_absent=if_absent)
        finally:
            draft.discard()

    def commit(self, draft: Draft, description: Description, *, if_absent: bool) -> StoredObject:
        """Make what was drafted visible under its key; with ``if_absent`` an object that is there stays."""
        with draft.in_use:
            status = draft.finish()
            content = encode(description, size=draft.size, checksum=draft.checksum)
            sidecar = self._incoming.draft(beside=draft, ending=SIDECAR_SUFFIX)
            try:
                sidecar.write(content)
                sidecar.finish()
                existing = self._place(draft, sidecar, description.key, if_absent=if_absent)
            finally:
                sidecar.discard()
            return existing or described(description.key, status, content)

    def _place(self, draft: Draft, sidecar: Draft, key: str, *, if_absent: bool) -> StoredObject | None:
        names, name = on_disk(key)
        for _ in range(_MAX_ATTEMPTS):
            # Between its opening and its locking an empty folder can be removed: then it is made again. Where locks
            # are not honoured, another writer's object can appear: then it is found.
            with (
                suppress(FileNotFoundError, FileExistsError),
                opened(self._root, names, create=True) as folder,
            ):
                with locked(folder):
                    existing = described_file(folder, name, key) if if_absent else None
                    if existing is not None:
                        return existing
                    put_in_place(draft, sidecar, folder, name, exclusive=if_absent)
                os.fsync(folder)
                return None
        raise FileNotFoundError(f"no place for {key!r}: its folder is removed again and again")

    def head(self, key: str) -> StoredObject | None:
        names, name = on_disk(key)
        with suppress(FileNotFoundError, NotADirectoryError), opened(self._root, names) as folder:
            return described_file(folder, name, key)
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


def open_files(root: Path) -> ObjectFiles:
    """Make the root unless it is there, and finish what crashed writers left half done."""
    (root / INCOMING).mkdir(parents=True, exist_ok=True)
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
