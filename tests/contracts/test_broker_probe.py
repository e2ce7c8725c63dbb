"""What every ``BrokerProbe`` does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from time import monotonic

import pytest

from adapters.memory.broker_probe import MemoryBrokerProbe
from adapters.stomp.frames import Frame, read, written
from adapters.stomp.probe import StompBrokerProbe
from adapters.system.id_source import SystemIdSource
from application.diagnostics import Trial
from application.ports.broker_probe import BrokerProbe, BrokerTarget
from domain.outbound import Address, DestinationRefused, OutboundPolicy, networks
from tests.certificates import self_signed

POLICY = OutboundPolicy(allowed_networks=networks("127.0.0.0/8"))
STEPS = ["look up the name", "connect", "STOMP CONNECT", "publish and receive"]


async def looked_up(host: str) -> Sequence[Address]:
    """What the tests ask for: this machine by its name, and addresses."""
    return [ip_address("127.0.0.1" if host == "localhost" else host)]


@dataclass(frozen=True, slots=True)
class Given:
    """A probe, and a broker that knows one password."""

    probe: BrokerProbe
    target: BrokerTarget

    async def tried(self, **changes: object) -> tuple[list[str], str | None]:
        """The steps, and what the last one says."""
        trial = Trial(seconds=5)
        await self.probe.probe(replace(self.target, **changes), trial)  # type: ignore[arg-type]
        return [step.name for step in trial.steps], trial.steps[-1].error


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A broker of one connection: it sends back what is sent to it, after a heartbeat."""
    with suppress(asyncio.IncompleteReadError):
        while True:
            frame = await read(reader)
            writer.write(answer(frame))
            if frame.command == "CONNECT" and frame.headers["passcode"] != "right":
                break
    writer.close()


def answer(frame: Frame) -> bytes:
    match frame.command:
        case "CONNECT" if frame.headers["passcode"] == "right":
            return written("CONNECTED", {"version": "1.2"})
        case "CONNECT":
            return written("ERROR", {"message": "who are you?"}, b"nobody")
        case "SEND":
            return b"\n\n" + written(
                "MESSAGE", {"destination": frame.headers["destination"], "message-id": "a:b"}, frame.body
            )
    return b""


@pytest.fixture(params=["memory", "stomp"])
async def given(request: pytest.FixtureRequest) -> AsyncIterator[Given]:
    """Each implementation there is."""
    target = BrokerTarget(
        host="127.0.0.1", port=1, username="me", password="right", is_encrypted=False, messages=3
    )
    if request.param == "memory":
        yield Given(MemoryBrokerProbe({"127.0.0.1": "right"}, POLICY), target)
        return
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield Given(StompBrokerProbe(POLICY, SystemIdSource(), looked_up), replace(target, port=port))


async def test_a_broker_that_is_well(given: Given) -> None:
    """Step by step; without messages none are sent."""
    assert await given.tried() == (STEPS, None)
    assert await given.tried(messages=0) == (STEPS[:3], None)


async def test_a_broker_that_refuses_says_so_at_its_step(given: Given) -> None:
    """And nothing more is tried."""
    assert await given.tried(password="wrong") == (STEPS[:3], "the broker says: who are you?")


async def test_a_broker_that_is_not_there(given: Given) -> None:
    """Fails to connect."""
    steps, error = await given.tried(host="127.0.0.2", port=1)
    assert (steps, "no connection" in str(error)) == (STEPS[:2], True)


@pytest.mark.parametrize(
    ("apart", "seconds"),
    [({"pause_seconds": 0.03}, 0.06), ({"jitter_seconds": 0.02, "messages": 21}, 0.05)],
)
async def test_messages_are_sent_as_far_apart_as_is_said(apart: dict[str, float], seconds: float) -> None:
    """By chance twenty waits of up to 20 ms never make less than 50 together."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    target = BrokerTarget(
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        username="me",
        password="right",
        is_encrypted=False,
        messages=3,
    )
    async with server:
        began = monotonic()
        given = Given(StompBrokerProbe(POLICY, SystemIdSource(), looked_up), target)
        assert await given.tried(**apart) == (STEPS, None)
        assert monotonic() - began >= seconds


async def test_nothing_inside_is_tried(given: Given) -> None:
    """Unless an operator allows it."""
    with pytest.raises(DestinationRefused):
        given.probe.examine(replace(given.target, host="10.0.0.1"))
    steps, error = await given.tried(host="10.0.0.1")
    assert (steps, error) == (STEPS[:1], "10.0.0.1 is not a public address")


async def test_a_certificate_is_looked_at_unless_it_is_not_to_be(tmp_path: Path) -> None:
    """One that nobody vouches for, or that is of another name, ends the trial."""
    path = tmp_path / "both.pem"
    path.write_bytes(self_signed("localhost"))
    ours, believing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=path)
    ours.load_cert_chain(path)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ours)
    port = server.sockets[0].getsockname()[1]
    target = BrokerTarget(host="localhost", port=port, username="me", password="right", messages=1)
    policy = OutboundPolicy(allowed_networks=networks("127.0.0.0/8,::1/128"))
    whole = [*STEPS[:2], "TLS handshake", *STEPS[2:]]
    async with server:
        for context, changes, is_well in (
            (believing, {}, True),
            (believing, {"host": "127.0.0.1"}, False),
            (None, {}, False),
            (None, {"is_verified": False}, True),
        ):
            given = Given(StompBrokerProbe(policy, SystemIdSource(), looked_up, context=context), target)
            steps, error = await given.tried(**changes)
            assert (steps, error is None) == (whole if is_well else whole[:3], is_well)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n\0", b"x" * 100_000, b"\xff\0", b"no"])
async def test_what_speaks_something_else_is_told_as_that(said: bytes) -> None:
    """It may say anything at any length."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read(100)
            writer.write(said)
            writer.write_eof()
            # What is not read before the end would cut the connection instead of ending it.
            while await reader.read(1000):
                pass
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = BrokerTarget(host="localhost", port=port, username="a", password="b", is_encrypted=False)
    policy = OutboundPolicy(allowed_networks=networks("127.0.0.0/8,::1/128"))
    async with server:
        trial = Trial(seconds=5)
        await StompBrokerProbe(policy, SystemIdSource(), looked_up).probe(target, trial)
        assert trial.steps[-1].error == "What answers there does not speak STOMP."
        trial = Trial(seconds=5)
        await StompBrokerProbe(policy, SystemIdSource(), looked_up).probe(
            replace(target, is_encrypted=True), trial
        )
        assert str(trial.steps[-1].error).startswith("no encrypted connection")
        trial = Trial(seconds=5)
        await StompBrokerProbe(policy, SystemIdSource(), looked_up).probe(
            replace(target, username="a\nb"), trial
        )
        assert trial.steps[-1].error == "name and password can have no line break"


@pytest.mark.parametrize(
    ("offered", "answered", "beats"),
    [(20, "0,20", True), (20, "0,40", True), (0, "0,20", False), (20, "0,0", False), (20, None, False)],
)
async def test_heart_beats_that_were_agreed_on_are_sent(
    offered: int, answered: str | None, beats: bool
) -> None:
    """While an answer is waited for, and not when one side wants none."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await read(reader)
            headers = {"version": "1.2"} | ({} if answered is None else {"heart-beat": answered})
            writer.write(written("CONNECTED", headers))
            await read(reader)
            sent = await read(reader)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    heard.append(await reader.readexactly(3))
            told = {"destination": sent.headers["destination"], "message-id": "1"}
            writer.write(written("MESSAGE", told, sent.body))
            await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = BrokerTarget(
        host="127.0.0.1",
        port=port,
        username="a",
        password="b",
        is_encrypted=False,
        heartbeat_send_ms=offered,
        messages=1,
    )
    async with server:
        steps, error = await Given(StompBrokerProbe(POLICY, SystemIdSource(), looked_up), target).tried()
        assert (steps, error) == (STEPS, None)
    assert heard == ([b"\n\n\n"] if beats else [])


async def test_a_name_without_an_address_is_told_as_that() -> None:
    """Whatever the resolver says of it."""

    async def nothing(host: str) -> Sequence[Address]:
        raise OSError(f"{host} is not known")

    target = BrokerTarget(host="nowhere.example", port=1, username="a", password="b")
    trial = Trial(seconds=5)
    await StompBrokerProbe(POLICY, SystemIdSource(), nothing).probe(target, trial)
    assert [step.name for step in trial.steps] == STEPS[:1]
    assert trial.steps[0].error == "the name has no address: nowhere.example is not known"
