"""Turns what the operating system raises into our errors, in one place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import Refused, Unavailable

_IN_THE_WAY = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


class FileStorageUnavailable(Unavailable):
    """The file storage cannot be read or written."""

    code = "file_storage_unavailable"


class FileStorageObstructed(Refused):
    """Something that is not the storage's own stands where the object belongs."""

    code = "file_storage_obstructed"


@contextmanager
def translating() -> Iterator[None]:
    """Let no OSError out: a full disk, a missing right or a broken device is Unavailable; a symbolic link or a
    foreign file where a folder belongs is Refused, because trying again does not help.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise FileStorageObstructed from error
        raise FileStorageUnavailable(f"the file storage failed: {error.strerror or error}") from error
