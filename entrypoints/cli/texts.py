"""Text that a person names by a file, or sends on standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from domain.errors import Invalid

LARGEST_BYTES = 16 * 1024 * 1024


class UnreadableFile(Invalid):
    """The file cannot be read."""

    code = "file_unreadable"


def text_of(source: str) -> str:
    """The text of a file, or of standard input for ``-``; raises UnreadableFile."""
    content = _standard_input() if source == "-" else _bytes_of(Path(source))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{_named(source)} is not UTF-8: byte {error.start} is no part of a character"
        ) from error


def opened(path: Path) -> IO[bytes]:
    """A file to read; raises UnreadableFile."""
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _bytes_of(path: Path) -> bytes:
    with opened(path) as file:
        try:
            return _bounded(file.read(LARGEST_BYTES + 1), str(path))
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError | ValueError) -> UnreadableFile:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UnreadableFile(f"{path}: {reason}")


def _standard_input() -> bytes:
    return _bounded(sys.stdin.buffer.read(LARGEST_BYTES + 1), _named("-"))


def _bounded(content: bytes, name: str) -> bytes:
    if len(content) > LARGEST_BYTES:
        raise UnreadableFile(f"{name} is larger than {LARGEST_BYTES // 1024 // 1024} MiB")
    return content


def _named(source: str) -> str:
    return "standard input" if source == "-" else source
