"""Asks one URL over and over on a few connections that stay open, and counts the answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from benchmarks.outcome import NotMeasurable

CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, as bytes of HTTP/1.1."""

    method: str
    path: str
    body: bytes = b""

    def encoded(self, port: int) -> bytes:
        """The request as it travels."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        if self.body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        return head.encode() + b"\r\n" + self.body


@dataclass(slots=True)
class _Count:
    """Answers so far, over all connections, and the moment at which to end."""

    until: float
    answers: int = 0
    last_body: bytes = field(default=b"")


async def requests_per_second(port: int, asked: Asked, *, seconds: float) -> tuple[float, bytes]:
    """The rate over so many seconds, and the body of an answer. Raises NotMeasurable for any answer but 200."""
    count = _Count(until=time.perf_counter() + seconds)
    started = time.perf_counter()
    await asyncio.gather(*(_ask_on(port, asked.encoded(port), count) for _ in range(CONNECTIONS)))
    return count.answers / (time.perf_counter() - started), count.last_body


async def _ask_on(port: int, request: bytes, count: _Count) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        while time.perf_counter() < count.until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            count.last_body = await reader.readexactly(_length(head))
            count.answers += 1
    finally:
        writer.close()


def _length(head: bytes) -> int:
    if not head.startswith(b"HTTP/1.1 200"):
        raise NotMeasurable(f"a request was answered with {head[:200]!r}")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise NotMeasurable(f"an answer has no length: {head[:500]!r}")
