"""What every ``WebhookSender`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest

from adapters.http_client.webhook_sender import HttpWebhookSender
from adapters.memory.webhook_sender import MemoryWebhookSender
from application.ports.webhook_sender import WebhookRequest, WebhookSender
from domain.outbound import DestinationRefused, InvalidUrl, OutboundPolicy, networks
from domain.webhooks.delivery import KEPT_BODY_BYTES, Answer
from domain.webhooks.outcome import Failure
from tests.webhook_receiver import RunningReceiver, running_receiver

POLICY = OutboundPolicy(allowed_networks=networks("127.0.0.0/8"), is_http_allowed=True)


@dataclass(frozen=True, slots=True)
class Given:
    """A sender, and an address that does what a path asks for."""

    sender: WebhookSender
    url: Callable[[str], str]

    async def sent(self, path: str) -> Answer:
        """What comes of a request."""
        return await self.sender.send(request(self.url(path)))


def request(url: str, timeout_seconds: float = 10.0) -> WebhookRequest:
    """One with a body."""
    return WebhookRequest(
        url=url, headers={"Content-Type": "application/json"}, body=b"{}", timeout_seconds=timeout_seconds
    )


@pytest.fixture(scope="module")
def receiver() -> Iterator[RunningReceiver]:
    with running_receiver() as running:
        yield running


async def answering(request: WebhookRequest) -> Answer:
    """The receiver's manners, without it."""
    what = request.url.rsplit("/", 1)[1]
    if what == "big":
        return Answer(status=200, body=b"x" * 10_000_000)
    if what == "close":
        return Answer(failure=Failure.CLOSED_EARLY)
    return Answer(status=301 if what == "redirect" else int(what), body=b"told by the receiver")


@pytest.fixture(params=["memory", "http"])
async def given(request: pytest.FixtureRequest, receiver: RunningReceiver) -> AsyncIterator[Given]:
    """Each implementation there is."""
    if request.param == "memory":
        sender = MemoryWebhookSender(answering, POLICY)
        yield Given(sender, lambda path: f"http://127.0.0.1/{path}")
        return
    async with HttpWebhookSender(POLICY) as opened:
        yield Given(opened, receiver.url)


@pytest.mark.parametrize("status", [200, 301, 400, 410, 429, 500])
async def test_a_status_is_an_answer(given: Given, status: int) -> None:
    """With the beginning of the body."""
    answer = await given.sent(str(status))
    assert (answer.status, answer.failure, answer.body) == (status, None, b"told by the receiver")


async def test_a_redirect_is_not_followed(given: Given) -> None:
    """It may lead anywhere."""
    assert (await given.sent("redirect")).status == 301


async def test_the_beginning_of_a_long_body_is_kept(given: Given) -> None:
    """And it is said that there was more."""
    answer = await given.sent("big")
    assert (answer.status, answer.body, answer.is_truncated) == (200, b"x" * KEPT_BODY_BYTES, True)


async def test_no_answer_is_a_failure_with_a_reason(given: Given) -> None:
    """Not an exception."""
    assert (await given.sent("close")).failure is Failure.CLOSED_EARLY
    refused = await given.sender.send(request("http://10.0.0.1/hook"))
    assert refused.failure is Failure.DESTINATION_REFUSED


async def test_an_address_is_examined_without_asking_anybody(given: Given) -> None:
    """Names that lead inside are found out later."""
    given.sender.examine("https://example.org/hook")
    given.sender.examine(given.url("200"))
    with pytest.raises(DestinationRefused):
        given.sender.examine("https://169.254.169.254/latest/meta-data")
    with pytest.raises(InvalidUrl):
        given.sender.examine("https://2130706433/")
