"""Reads the bytes of a file that was enumerated, from its folder or from storage, within a limit."""

from __future__ import annotations

import os
import stat

from application.ports.object_storage import ObjectStorage
from domain.document import UnreadableDocument
from domain.errors import FactflowError, NotFound
from domain.storage import ObjectNotFound


class FileVanished(NotFound):
    """The file is no longer there."""

    code = "file_vanished"


async def object_content(key: str, storage: ObjectStorage, limit: int) -> bytes:
    """All bytes of a stored object; raises FileVanished, UnreadableDocument (larger than ``limit`` bytes)."""
    try:
        _require_size((await storage.head(key)).size, limit)
        return await storage.read(key)
    except ObjectNotFound as error:
        raise FileVanished(f"the stored object {key!r} is no longer there") from error


def file_content(path: str, limit: int) -> bytes:
    """All bytes of a file; to be called in a thread.

    Raises FileVanished, UnreadableDocument (larger than ``limit`` bytes, not permitted, not a regular file), and
    FactflowError, which is tried again, when the disk fails.
    """
    try:
        # A named pipe put in the place of a file must not hold the thread for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - of a descriptor
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableDocument("it is not a regular file")
            _require_size(status.st_size, limit)
            content = stream.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileVanished(f"the file {path!r} is no longer there") from error
    except PermissionError as error:
        raise UnreadableDocument(f"the server may not read the file {path!r}") from error
    except ValueError as error:
        raise UnreadableDocument(f"{path[:200]!r} is not a path") from error
    except OSError as error:
        raise FactflowError(f"the file {path!r} cannot be read: {error}") from error
    _require_size(len(content), limit)
    return content


def _require_size(size: int, limit: int) -> None:
    if size > limit:
        raise UnreadableDocument(f"the file has {size:,} bytes; the limit is {limit:,}")
