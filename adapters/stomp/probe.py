"""Tries a broker that speaks STOMP."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from uuid import UUID

from adapters.stomp.frames import Frame, NotStomp, read, written
from application.ports.broker_probe import Attempts, BrokerTarget
from application.ports.id_source import IdSource
from domain.errors import Refused, Unavailable
from domain.outbound import Address, OutboundPolicy, require_public

Lookup = Callable[[str], Awaitable[Sequence[Address]]]
MOST_FRAME_BYTES = 64 * 1024
MOST_TOLD = 300
CLOSE_SECONDS = 1.0
_BREAKS = frozenset("\r\n\0")


class BrokerRefused(Refused):
    """The broker refused."""

    code = "broker_refused"


class BrokerUnreachable(Unavailable):
    """The broker cannot be reached."""

    code = "broker_unreachable"


@dataclass(frozen=True, slots=True)
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        self.writer.write(written(command, headers, body))
        await self.writer.drain()

    async def expect(self, command: str) -> Frame:
        frame = await read(self.reader)
        if frame.command == "ERROR":
            said = frame.headers.get("message") or frame.body.decode("utf-8", "replace")
            raise BrokerRefused(f"the broker says: {' '.join(said.split())[:MOST_TOLD]}")
        if frame.command != command:
            raise NotStomp(f"{command} was expected and {frame.command[:40]} came")
        return frame

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.writer.wait_closed()


class StompBrokerProbe:
    """The ``BrokerProbe`` port.

    ``lookup`` gives every address of a name, or raises OSError; ``context`` is which certificates are believed, the
    machine's unless given.
    """

    def __init__(
        self, policy: OutboundPolicy, ids: IdSource, lookup: Lookup, *, context: ssl.SSLContext | None = None
    ) -> None:
        self._policy = policy
        self._ids = ids
        self._lookup = lookup
        self._context = context

    def examine(self, target: BrokerTarget) -> None:
        """See the port."""
        if (address := _literal(target.host)) is not None:
            require_public([address], self._policy)

    async def probe(self, target: BrokerTarget, trial: Attempts) -> None:
        """See the port."""
        addresses = await trial.attempt("look up the name", lambda: self._look_up(target))
        line = await trial.attempt("connect", lambda: _connected(addresses or (), target.port))
        if line is None:
            return
        try:
            if target.is_encrypted:
                await trial.attempt("TLS handshake", lambda: self._encrypt(line, target))
            seconds = await trial.attempt("STOMP CONNECT", lambda: _signed_in(line, target))
            if target.messages:
                name = self._ids.new_id()
                async with _beating(line, seconds or 0.0):
                    await trial.attempt("publish and receive", lambda: _exchange(line, target, name))
        finally:
            await line.close()

    async def _look_up(self, target: BrokerTarget) -> Sequence[Address]:
        try:
            addresses = list(dict.fromkeys(await self._lookup(target.host)))
        except (OSError, UnicodeError) as error:
            raise BrokerUnreachable(f"the name has no address: {error}") from error
        require_public(addresses, self._policy)
        return addresses

    async def _encrypt(self, line: _Line, target: BrokerTarget) -> None:
        context = self._context or ssl.create_default_context()
        if not target.is_verified:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            await line.writer.start_tls(context, server_hostname=target.host)
        except (OSError, ValueError) as error:
            raise BrokerUnreachable(f"no encrypted connection: {error}") from error


async def _connected(addresses: Sequence[Address], port: int) -> _Line:
    """To the first that answers, at the very addresses that were judged."""
    reason = "it has no address"
    for address in addresses:
        try:
            return _Line(*await asyncio.open_connection(str(address), port, limit=MOST_FRAME_BYTES))
        except OSError as error:
            reason = str(error)
    raise BrokerUnreachable(f"no connection: {reason}")


async def _signed_in(line: _Line, target: BrokerTarget) -> float:
    """Seconds between the heart-beats that both sides have agreed on and we have to send, 0 for none."""
    headers = {
        "accept-version": "1.0,1.1,1.2",
        "host": target.host,
        "login": target.username,
        "passcode": target.password,
        "heart-beat": f"{target.heartbeat_send_ms},{target.heartbeat_receive_ms}",
    }
    if _BREAKS & set("".join(headers.values())):
        raise BrokerRefused("name and password can have no line break")
    try:
        await line.send("CONNECT", headers)
        connected = await line.expect("CONNECTED")
        return _agreed(target.heartbeat_send_ms, connected.headers.get("heart-beat", "0,0")) / 1000
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise _broken(error) from error


def _agreed(offered: int, answered: str) -> int:
    """Milliseconds, as STOMP 1.2 has it: the longer of what we offer and what the broker wants, 0 if either says so."""
    wanted = int(answered.partition(",")[2])
    return max(offered, wanted) if offered and wanted else 0


@asynccontextmanager
async def _beating(line: _Line, seconds: float) -> AsyncIterator[None]:
    """Send heart-beats as long as it lasts, twice as often as was agreed, so that none comes late."""
    beats = asyncio.create_task(_beat(line, seconds / 2)) if seconds else None
    try:
        yield
    finally:
        if beats is not None:
            beats.cancel()
            await asyncio.wait({beats})


async def _beat(line: _Line, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        line.writer.write(b"\n")


async def _exchange(line: _Line, target: BrokerTarget, name: UUID) -> None:
    queue = f"/queue/diagnostic.{name}"
    try:
        await line.send("SUBSCRIBE", {"id": "0", "destination": queue, "ack": "auto"})
        for number in range(target.messages):
            if number and target.pause_seconds + target.jitter_seconds:
                jitter = random.uniform(0, target.jitter_seconds)  # noqa: S311  # spreads messages, keeps no secret
                await asyncio.sleep(target.pause_seconds + jitter)
            await line.send("SEND", {"destination": queue, "content-type": "text/plain"}, b"%d" % number)
            came = await line.expect("MESSAGE")
            if came.body != b"%d" % number:
                raise NotStomp("another message came than was sent")
        await line.send("UNSUBSCRIBE", {"id": "0"})
        await line.send("DISCONNECT", {})
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> Unavailable:
    if isinstance(error, asyncio.LimitOverrunError | ValueError):
        return NotStomp()
    if isinstance(error, asyncio.IncompleteReadError) and error.partial:
        return NotStomp()
    return BrokerUnreachable(f"the connection broke off: {error}")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
