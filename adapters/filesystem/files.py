"""An object's file and its sidecar's, within an open folder or (folder None) by their paths."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from io import BufferedReader

from adapters.filesystem.incoming import Draft
from adapters.filesystem.sidecar import described
from domain.storage import SIDECAR_SUFFIX, StoredObject

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def beside(name: str) -> str:
    """The name of an object's sidecar."""
    return name + SIDECAR_SUFFIX


def status_of(folder: int | None, name: str) -> os.stat_result | None:
    """What the system knows of a regular file; None when there is none."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def open_file(folder: int | None, name: str) -> BufferedReader | None:
    """A regular file opened for reading; None when there is none."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def described_file(folder: int | None, name: str, key: str) -> StoredObject | None:
    """The object as its file and its sidecar tell; None when there is no such file."""
    status = status_of(folder, name)
    return None if status is None else described(key, status, _sidecar_of(folder, name))


def fetched_file(folder: int, name: str, key: str) -> tuple[StoredObject, bytes] | None:
    """The same with its content, which is of the size and time that are told."""
    file = open_file(folder, name)
    if file is None:
        return None
    with file:
        status, content = os.fstat(file.fileno()), file.read()
    return described(key, status, _sidecar_of(folder, name)), content


def _sidecar_of(folder: int | None, name: str) -> bytes | None:
    sidecar = open_file(folder, beside(name))
    if sidecar is None:
        return None
    with sidecar:
        return sidecar.read()


def put_in_place(draft: Draft, sidecar: Draft, folder: int, name: str, *, exclusive: bool) -> None:
    """Move both files to their places, the sidecar first: an object is never without it.

    The sidecar stays among the drafts too until the object is in place, so that a write that was cut off in between
    can be finished. ``exclusive`` raises FileExistsError when there is an object.
    """
    try:
        os.link(sidecar.name, beside(name), src_dir_fd=sidecar.folder, dst_dir_fd=folder)
    except FileExistsError:
        spare = sidecar.name + "~"
        os.link(sidecar.name, spare, src_dir_fd=sidecar.folder, dst_dir_fd=sidecar.folder)
        os.replace(spare, beside(name), src_dir_fd=sidecar.folder, dst_dir_fd=folder)
    if exclusive:
        os.link(draft.name, name, src_dir_fd=draft.folder, dst_dir_fd=folder)
    else:
        os.replace(draft.name, name, src_dir_fd=draft.folder, dst_dir_fd=folder)


def remove(trace: Draft, folder: int, name: str) -> None:
    """Remove both files, the object first. Until both are gone the sidecar stays among the drafts as a trace."""
    with suppress(FileNotFoundError):
        os.link(beside(name), trace.name, src_dir_fd=folder, dst_dir_fd=trace.folder)
    try:
        os.unlink(name, dir_fd=folder)
        with suppress(FileNotFoundError):
            os.unlink(beside(name), dir_fd=folder)
    finally:
        trace.discard()
