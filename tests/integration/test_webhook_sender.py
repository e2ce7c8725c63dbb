"""What only a sender over a real network can get wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from adapters.http_client.guard import guarded_url
from adapters.http_client.webhook_sender import HttpWebhookSender
from application.ports.webhook_sender import WebhookRequest
from domain.outbound import Address, DestinationRefused, InvalidUrl, OutboundPolicy, networks
from domain.webhooks.outcome import Failure
from tests.certificates import self_signed
from tests.webhook_receiver import RunningReceiver, running_receiver

INSIDE = OutboundPolicy(allowed_networks=networks("127.0.0.0/8"), is_http_allowed=True)
STRICT = OutboundPolicy(is_http_allowed=True)
NAME = "hooks.example.org"


def request(url: str, timeout_seconds: float = 10.0) -> WebhookRequest:
    """One with a body."""
    return WebhookRequest(url=url, headers={"X-Own": "1"}, body=b"{}", timeout_seconds=timeout_seconds)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate for one name, signed by nobody but itself."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(self_signed(NAME))
    return path


@pytest.fixture(scope="module")
def receiver(certificate: Path) -> Iterator[RunningReceiver]:
    with running_receiver(certificate) as running:
        yield running


class Names:
    """A name server that says something else each time, and the last thing for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [[ip_address(text) for text in answer] for answer in answers]
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[Address]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such name")
        return answer


async def test_a_name_is_looked_up_once_and_its_very_address_connected_to(receiver: RunningReceiver) -> None:
    """A name that changes between check and connect finds no second look; Host stays the name."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with HttpWebhookSender(INSIDE, lookup=names) as sender:
        answer = await sender.send(request(receiver.url("200", host=NAME)))
    assert (answer.status, names.asked) == (200, [NAME])
    assert receiver.received()[-1]["headers"]["host"] == f"{NAME}:{receiver.ports['http']}"


@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["169.254.169.254"]],
)  # fmt: skip
async def test_a_name_that_leads_inside_is_refused(receiver: RunningReceiver, answer: list[str]) -> None:
    """Whichever of its answers does; and nothing is connected to."""
    before = len(receiver.received())
    async with HttpWebhookSender(STRICT, lookup=Names(answer)) as sender:
        told = await sender.send(request(receiver.url("200", host=NAME)))
    assert told.failure is Failure.DESTINATION_REFUSED
    assert len(receiver.received()) == before


async def test_a_name_that_turns_inside_is_refused_at_its_next_connection(receiver: RunningReceiver) -> None:
    """Rebinding helps nobody: each connection is judged by its own address."""
    changing = Names(["127.0.0.1"], ["10.0.0.1"])
    async with HttpWebhookSender(INSIDE, lookup=changing) as sender:
        assert (await sender.send(request(receiver.url("once", host=NAME)))).status == 200
    async with HttpWebhookSender(INSIDE, lookup=changing) as sender:
        told = await sender.send(request(receiver.url("200", host=NAME)))
    assert told.failure is Failure.DESTINATION_REFUSED


async def test_localhost_by_the_real_resolver_is_refused(receiver: RunningReceiver) -> None:
    """And allowed where an operator says so."""
    async with HttpWebhookSender(STRICT) as sender:
        told = await sender.send(request(receiver.url("200", host="localhost")))
        assert told.failure is Failure.DESTINATION_REFUSED
    loopback = OutboundPolicy(allowed_networks=networks("127.0.0.0/8,::1/128"), is_http_allowed=True)
    async with HttpWebhookSender(loopback) as sender:
        assert (await sender.send(request(receiver.url("204", host="localhost")))).status == 204


async def test_each_way_not_to_answer_has_its_reason(receiver: RunningReceiver) -> None:
    """What people read when they look why nothing arrives."""
    async with HttpWebhookSender(INSIDE, lookup=Names([])) as sender:
        reasons = {
            path: (await sender.send(request(receiver.url(path), timeout_seconds=0.3))).failure
            for path in ("hang", "close", "nonsense")
        }
        reasons["name"] = (await sender.send(request(receiver.url("200", host=NAME)))).failure
        reasons["port"] = (await sender.send(request("http://127.0.0.1:1/"))).failure
        reasons["https"] = (await sender.send(request(receiver.url("200", scheme="https")))).failure
    assert reasons == {
        "hang": Failure.TIMEOUT,
        "close": Failure.CLOSED_EARLY,
        "nonsense": Failure.PROTOCOL,
        "name": Failure.DNS,
        "port": Failure.CONNECT,
        "https": Failure.TLS,
    }


async def test_a_certificate_must_be_believed_and_be_the_names(
    receiver: RunningReceiver, certificate: Path
) -> None:
    """By the name that was asked for, though an address was connected to."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with HttpWebhookSender(INSIDE, lookup=Names(["127.0.0.1"]), ssl_context=trusting) as sender:
        right = await sender.send(request(receiver.url("200", "https", NAME)))
        wrong = await sender.send(request(receiver.url("200", "https", "other.example.org")))
    assert (right.status, wrong.failure) == (200, Failure.TLS)


async def test_a_status_counts_though_its_body_never_ends(receiver: RunningReceiver) -> None:
    """The receiver has said what it had to say."""
    async with HttpWebhookSender(INSIDE) as sender:
        answer = await sender.send(request(receiver.url("big")))
        assert (answer.status, len(answer.body)) == (200, 16_384)
        answer = await sender.send(request(receiver.url("slow-body"), timeout_seconds=0.3))
        assert (answer.status, answer.body, answer.is_truncated) == (200, b"begun", True)


async def test_a_connection_that_was_closed_while_idle_is_no_failure(receiver: RunningReceiver) -> None:
    """The request goes again, over a new one."""
    async with HttpWebhookSender(INSIDE) as sender:
        statuses = [(await sender.send(request(receiver.url("once")))).status for _ in range(20)]
    assert statuses == [200] * 20


async def test_connections_are_used_again(receiver: RunningReceiver) -> None:
    """And no header of ours is missing or doubled."""
    async with HttpWebhookSender(INSIDE) as sender:
        for _ in range(3):
            assert (await sender.send(request(receiver.url("200")))).status == 200
    last = receiver.received()[-1]
    assert last["first"] == "POST /200 HTTP/1.1"
    assert last["headers"]["x-own"] == "1"
    assert last["headers"]["user-agent"].startswith("factflow-webhooks/")


async def test_a_sender_that_is_not_open_says_so() -> None:
    """As an answer."""
    answer = await HttpWebhookSender(INSIDE).send(request("http://127.0.0.1/"))
    assert answer.detail == "the sender is not open"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1\\@8.8.8.8/",
        "http://8.8.8.8#@127.0.0.1/",
        "http://127.0.0.1%2f@8.8.8.8/",
        "http://0x7f.1/",
        "https://[2606:4700::1111]x/",
    ],
)
def test_what_two_parsers_could_read_differently_goes_nowhere(url: str) -> None:
    """The host that is judged is the host that is asked."""
    with pytest.raises((InvalidUrl, DestinationRefused)):
        guarded_url(url, STRICT)


async def test_headers_that_are_no_text_are_kept_as_far_as_they_are() -> None:
    """A question mark stands for each byte that is no UTF-8: no database would take it as it is."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(
            b"HTTP/1.1 200 OK\r\nX-Name: caf\xe9\xff\r\nX-Town: K\xc3\xb8ge\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpWebhookSender(INSIDE) as sender:
        answered = await sender.send(request(f"http://127.0.0.1:{port}/"))
    assert (answered.headers["X-Name"], answered.headers["X-Town"]) == ("caf??", "Køge")
