"""Standard output and error, made safe: for any encoding, for any text, and for readers who stop reading."""

from __future__ import annotations

import io
import os
import sys

_LAYOUT = {"\n", "\t"}
_DIRECTIONS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNSAFE = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in [*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), *map(ord, _DIRECTIONS)]
    if chr(code) not in _LAYOUT
}
"""What could move a terminal's cursor, change its title or turn the reading direction."""


def prepare_streams() -> None:
    """Let no character that the terminal's encoding lacks become an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def typed_arguments() -> list[str]:
    """The arguments of the process, read as UTF-8 also where the locale says something poorer."""
    return [_as_typed(argument) for argument in sys.argv[1:]]


def _as_typed(argument: str) -> str:
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        return argument


def harmless(text: str) -> str:
    """The text with what a terminal would obey, rather than show, replaced."""
    return text.translate(_UNSAFE)


def one_line(text: str) -> str:
    """The harmless text on one line."""
    return " ".join(harmless(text).split())


def write_bytes(content: bytes) -> None:
    """Write to standard output exactly this."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def abandon_output() -> None:
    """Give up a standard output that nobody reads, so that the interpreter's own last flush is silent."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
