"""A hint to the file system where new folders may lie."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

_LONG = struct.calcsize("l")
# linux/fs.h: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, and what `chattr +T` sets.
_GET_FLAGS = 2 << 30 | _LONG << 16 | ord("f") << 8 | 1
_SET_FLAGS = 1 << 30 | _LONG << 16 | ord("f") << 8 | 2
_TOP_OF_HIERARCHIES = 0x0002_0000


def spread_over_disk(folder: Path) -> None:
    """Tell ext4 that the folders within are unrelated, so that each gets a part of the disk of its own.

    Without a journal it makes no new file in the place of one that was deleted some minutes ago, and looks at each such
    place again for every new file: where many were deleted, as by tests or a cache, that takes far longer than
    elsewhere. Other file systems refuse the hint, and nothing is lost.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            (flags,) = struct.unpack("i", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)))
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("i", flags | _TOP_OF_HIERARCHIES))
        finally:
            os.close(descriptor)
