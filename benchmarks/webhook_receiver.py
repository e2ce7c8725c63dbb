"""A receiver of webhooks in a process of its own, which answers as its path says: `/ok`, `/500`, `/hang`.

`python -m benchmarks.webhook_receiver` prints its port and ends when its standard input does. It does as little as a
receiver can, so that it is not what is measured.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n"


class Receiving(asyncio.Protocol):
    """One connection, and requests one after the other, each with a Content-Length."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end])
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._read) < end + 4 + length:
                return
            del self._read[: end + 4 + length]
            self._answer(head.split(b" ", 2)[1])

    def _answer(self, path: bytes) -> None:
        if self._transport is None or path.startswith(b"/hang"):
            return
        self._transport.write(_FAILED if path.startswith(b"/500") else _OK)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiving, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def running_receiver() -> Iterator[str]:
    """The address of a receiver that runs as long as the block, without a path."""
    command = [sys.executable, "-m", "benchmarks.webhook_receiver"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:  # noqa: S603 (our own module)
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_main())
