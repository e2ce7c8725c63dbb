"""The bytes of a ZIP file, made as they are needed (PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5).

Python's own ``zipfile`` keeps a record of every entry until the end; here they are the caller's to keep, who may do so
outside of memory, so that a file of a million entries needs no more of it than one of ten.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.errors import Invalid

_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_CENTRAL = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_END_64 = struct.Struct("<4sQHHLLQQQQ")
_LOCATOR_64 = struct.Struct("<4sLQL")
_END = struct.Struct("<4sHHHHLLH")

_VERSION = 45
_MADE_BY_UNIX = (3 << 8) | _VERSION
_FLAGS = 0x0808
"""The sizes follow the content, and names are UTF-8."""

_DEFLATED = 8
_LEVEL = 1
"""Half the size of text at ten times the pace of the default."""

_READABLE_FILE = 0o100644 << 16
_ALL_ONES = 0xFFFFFFFF


class UnpackableName(Invalid):
    """A name in an archive has at most 65,535 bytes."""

    code = "unpackable_name"


@dataclass(slots=True)
class _Entry:
    name: bytes
    offset: int
    time: int
    date: int
    deflating: zlib._Compress = field(
        default_factory=lambda: zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    )
    checksum: int = 0
    size: int = 0
    packed: int = 0


class ZipFile:
    """Makes one file: for each entry ``begin``, any number of ``piece``, ``end``; after the last the directory, ``last``.

    What these return are the next bytes of the file. The directory is every entry's ``record``, which is there after
    its ``end``, one after the other. Sizes are written in 64 bits throughout, so that neither an entry nor the file has
    a limit that an object could reach.
    """

    def __init__(self) -> None:
        self._entry: _Entry | None = None
        self._offset = 0
        self._entries = 0
        self._directory_size = 0
        self.record = b""

    def begin(self, name: str, *, modified_at: datetime) -> bytes:
        """Begin an entry; raises UnpackableName."""
        encoded = name.encode()
        if len(encoded) > 0xFFFF:
            raise UnpackableName
        date, time = _dos(modified_at)
        self._entry = _Entry(name=encoded, offset=self._offset, time=time, date=date)
        # An empty record of 64-bit sizes says that those which follow the content have 64 bits.
        extra = struct.pack("<HHQQ", 1, 16, 0, 0)
        head = _LOCAL.pack(
            b"PK\x03\x04",
            _VERSION,
            _FLAGS,
            _DEFLATED,
            time,
            date,
            0,
            _ALL_ONES,
            _ALL_ONES,
            len(encoded),
            len(extra),
        )
        return self._moved(head + encoded + extra)

    def piece(self, content: bytes) -> bytes:
        """Go on with the entry."""
        entry = self._begun
        entry.checksum = zlib.crc32(content, entry.checksum)
        entry.size += len(content)
        packed = entry.deflating.compress(content)
        entry.packed += len(packed)
        return self._moved(packed)

    def end(self) -> bytes:
        """End the entry; its ``record`` is then there."""
        entry = self._begun
        rest = entry.deflating.flush()
        entry.packed += len(rest)
        self._record(entry)
        self._entry = None
        return self._moved(
            rest + struct.pack("<4sLQQ", b"PK\x07\x08", entry.checksum, entry.packed, entry.size)
        )

    def last(self) -> bytes:
        """The end in 64 bits, where to find it, and the end that readers of old look for."""
        start, size, entries = self._offset, self._directory_size, self._entries
        end = _END_64.pack(
            b"PK\x06\x06", 44, _MADE_BY_UNIX, _VERSION, 0, 0, entries, entries, size, start
        ) + _LOCATOR_64.pack(b"PK\x06\x07", 0, start + size, 1)
        few, short, near = min(entries, 0xFFFF), min(size, _ALL_ONES), min(start, _ALL_ONES)
        return end + _END.pack(b"PK\x05\x06", 0, 0, few, few, short, near, 0)

    @property
    def _begun(self) -> _Entry:
        if self._entry is None:
            raise AssertionError("there is no entry to go on with")
        return self._entry

    def _moved(self, written: bytes) -> bytes:
        self._offset += len(written)
        return written

    def _record(self, entry: _Entry) -> None:
        extra = struct.pack("<HHQQQ", 1, 24, entry.size, entry.packed, entry.offset)
        record = _CENTRAL.pack(
            b"PK\x01\x02",
            _MADE_BY_UNIX,
            _VERSION,
            _FLAGS,
            _DEFLATED,
            entry.time,
            entry.date,
            entry.checksum,
            _ALL_ONES,
            _ALL_ONES,
            len(entry.name),
            len(extra),
            0,
            0,
            0,
            _READABLE_FILE,
            _ALL_ONES,
        )
        self.record = record + entry.name + extra
        self._directory_size += len(self.record)
        self._entries += 1


def _dos(moment: datetime) -> tuple[int, int]:
    """Date and time as MS-DOS has them: UTC, in steps of two seconds, from 1980 to 2107."""
    at = moment.astimezone(UTC)
    if not 1980 <= at.year <= 2107:
        at = at.replace(year=min(max(at.year, 1980), 2107), month=1, day=1)
    date = (at.year - 1980) << 9 | at.month << 5 | at.day
    return date, at.hour << 11 | at.minute << 5 | at.second // 2
