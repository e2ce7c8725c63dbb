"""Endpoints that are functions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from application.ports.webhook_sender import WebhookRequest
from domain.outbound import DestinationRefused, OutboundPolicy, destination
from domain.webhooks.delivery import KEPT_BODY_BYTES, Answer
from domain.webhooks.outcome import Failure

Endpoint = Callable[[WebhookRequest], Awaitable[Answer]]


class MemoryWebhookSender:
    """The ``WebhookSender`` port over one function that answers for every address; ``requests`` are those that were sent."""

    def __init__(self, endpoint: Endpoint, policy: OutboundPolicy | None = None) -> None:
        self._endpoint = endpoint
        self._policy = policy or OutboundPolicy()
        self.requests: list[WebhookRequest] = []

    def examine(self, url: str) -> None:
        """See the port."""
        destination(url, self._policy)

    async def send(self, request: WebhookRequest) -> Answer:
        """See the port."""
        try:
            self.examine(request.url)
        except DestinationRefused as error:
            return Answer(failure=Failure.DESTINATION_REFUSED, detail=error.message)
        self.requests.append(request)
        answer = await self._endpoint(request)
        if len(answer.body) <= KEPT_BODY_BYTES:
            return answer
        return Answer(
            status=answer.status,
            headers=answer.headers,
            body=answer.body[:KEPT_BODY_BYTES],
            is_truncated=True,
        )
