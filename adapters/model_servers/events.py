"""Server-sent events, read as they arrive."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

_LINE_END = re.compile(r"\r\n|\n|\r")


class EventStream:
    """Gives the ``data`` of each event, however the bytes are cut.

    Follows "Interpreting an event stream" of the WHATWG's HTML standard (9.2.6); event names, ids and comments are of
    no use here and passed over.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of every event that the bytes complete."""
        text = self._rest + self._decoder.decode(chunk)
        # A carriage return at the end may be half of a line end.
        held = "\r" if text.endswith("\r") else ""
        *lines, rest = _LINE_END.split(text.removesuffix("\r"))
        self._rest = rest + held
        for line in lines:
            yield from self._line(line)

    def end(self) -> Iterator[str]:
        """The data of an event that the server did not finish with an empty line."""
        for line in (*_LINE_END.split(self._rest), ""):
            yield from self._line(line)
        self._rest = ""

    def _line(self, line: str) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data = []
            return
        name, _, value = line.partition(":")
        if name.lstrip("\ufeff") == "data":
            self._data.append(value.removeprefix(" "))
