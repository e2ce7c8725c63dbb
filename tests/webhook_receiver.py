"""A receiver of webhooks in a process of its own, which does whatever a path asks for: `python -m tests.webhook_receiver`.

Its first line of output is its ports as JSON; it ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Receiver:
    """What it has got, and how it answers: by the first part of the path."""

    received: list[dict[str, Any]] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path = first.split(" ")[1]
        if path == "/received":
            _say(writer, 200, json.dumps(self.received).encode())
            return True
        what, _, more = path.strip("/").partition("/")
        self.received.append(
            {"path": path, "headers": headers, "body": base64.b64encode(body).decode(), "first": first}
        )
        match what:
            case "hang":
                await self.hanging.wait()
            case "close":
                return False
            case "big":
                _say(writer, 200, b"x" * 10_000_000)
            case "slow-body":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
                await writer.drain()
                await self.hanging.wait()
            case "nonsense":
                writer.write(b"this is no HTTP\r\n\r\n")
                return False
            case "redirect":
                _say(writer, 301, b"", f"Location: {more or '/200'}\r\n")
            case "later":
                _say(writer, 429, b"slower, please", f"Retry-After: {more}\r\n")
            case (
                "once"
            ):  # answers one request on a connection, then closes it although it said nothing of that
                _say(writer, 200, b"")
                await writer.drain()
                return False
            case _:
                _say(writer, int(what), b"told by the receiver")
        return True


def _say(writer: asyncio.StreamWriter, status: int, body: bytes, headers: str = "") -> None:
    length = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
    writer.write(
        f"HTTP/1.1 {status} Said\r\n{headers}{length}\r\n".encode() + (b"" if status == 204 else body)
    )


async def _main(certificate: str | None) -> None:
    receiver = Receiver()
    plain = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    ports = {"http": plain.sockets[0].getsockname()[1]}
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        sealed = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
        ports["https"] = sealed.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@dataclass
class RunningReceiver:
    """The receiver's process, seen from a test."""

    ports: dict[str, int]

    def url(self, path: str, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.ports[scheme]}/{path}"

    def received(self) -> list[dict[str, Any]]:
        """Every request so far: path, headers in lower case, body."""
        with urlopen(self.url("received"), timeout=10) as response:
            found: list[dict[str, Any]] = json.load(response)
        return [{**one, "body": base64.b64decode(one["body"])} for one in found]


@contextmanager
def running_receiver(certificate: Path | None = None) -> Iterator[RunningReceiver]:
    """A receiver for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.webhook_receiver", *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield RunningReceiver(json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.kill()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1] if len(sys.argv) > 1 else None))
