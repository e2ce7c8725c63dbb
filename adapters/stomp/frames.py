"""Frames of STOMP 1.2 (https://stomp.github.io/stomp-specification-1.2.html)."""

from __future__ import annotations

import re
from asyncio import StreamReader
from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Unavailable

MOST_HEADERS = 100
_ESCAPES = (("\\", "\\\\"), ("\r", "\\r"), ("\n", "\\n"), (":", "\\c"))


class NotStomp(Unavailable):
    """What answers there does not speak STOMP."""

    code = "not_stomp"


@dataclass(frozen=True, slots=True)
class Frame:
    """A command with its headers and its body."""

    command: str
    headers: Mapping[str, str]
    body: bytes = b""


def written(command: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A frame as it is sent. CONNECT alone escapes nothing, so its values must have no line break."""
    lines = [command, *(f"{name}:{_escaped(command, value)}" for name, value in headers.items()), "", ""]
    return "\n".join(lines).encode() + body + b"\0"


async def read(reader: StreamReader) -> Frame:
    """The next frame, heartbeats passed over; raises NotStomp, EOFError, ValueError when it is too long."""
    whole = (await reader.readuntil(b"\0"))[:-1].lstrip(b"\r\n")
    head, gap, body = _halves(whole)
    try:
        command, *lines = head.decode().split("\n")
    except UnicodeDecodeError as error:
        raise NotStomp from error
    if not gap or not command.isalpha() or not command.isupper() or len(lines) > MOST_HEADERS:
        raise NotStomp
    pairs = (line.partition(":") for line in lines)
    return Frame(command, {name: _unescaped(value) for name, _, value in pairs}, body)


def _escaped(command: str, value: str) -> str:
    if command == "CONNECT":
        return value
    for plain, written_as in _ESCAPES:
        value = value.replace(plain, written_as)
    return value


def _unescaped(value: str) -> str:
    plain = {written_as: plain for plain, written_as in _ESCAPES}
    return re.sub(r"\\[\\rnc]", lambda found: plain.get(found[0], found[0]), value)


def _halves(whole: bytes) -> tuple[bytes, bytes, bytes]:
    """Head, gap and body; lines of the head may end either way."""
    gap = re.search(rb"\r?\n\r?\n", whole)
    if gap is None:
        return whole, b"", b""
    return whole[: gap.start()].replace(b"\r\n", b"\n"), gap[0], whole[gap.end() :]
