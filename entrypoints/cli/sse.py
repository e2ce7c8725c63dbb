"""Server-sent events, read from bytes as they arrive (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from domain.errors import Unavailable

LONGEST_EVENT = 8_000_000


class EventTooLong(Unavailable):
    """The server sends an event without end."""

    code = "event_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """One event: its name and its data."""

    event: str
    data: str

    def value(self) -> dict[str, Any]:
        """The data as a JSON object, an empty one when it is none."""
        try:
            value = json.loads(self.data)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    """The events with data; an unfinished one at the end is dropped, as the specification has it."""
    name, data, size = "message", list[str](), 0
    async for line in _lines(chunks):
        if not line:
            if data:
                yield ServerSentEvent(event=name, data="\n".join(data))
            name, data, size = "message", [], 0
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        size += len(value)
        if size > LONGEST_EVENT:
            raise EventTooLong
        if field == "event":
            name = value or "message"
        elif field == "data":
            data.append(value)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines that end in CR, LF or both; a CR at the end of a chunk waits for what may follow it."""
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    rest, is_first = "", True
    async for chunk in chunks:
        text = decode(chunk)
        if is_first and text:
            text, is_first = text.removeprefix("\ufeff"), False
        rest += text
        if len(rest) > LONGEST_EVENT:
            raise EventTooLong
        held = "\r" if rest.endswith("\r") else ""
        *whole, rest = _split(rest.removesuffix("\r"))
        rest += held
        for line in whole:
            yield line
    if rest.endswith("\r"):
        yield rest.removesuffix("\r")


def _split(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
