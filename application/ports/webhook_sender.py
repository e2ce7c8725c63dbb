"""Sends one request to an endpoint that somebody else has named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.values import quickly_made
from domain.webhooks.delivery import Answer


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A POST of ``body``; ``timeout_seconds`` are all there is, from looking up the name to the status."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_seconds: float


class WebhookSender(Protocol):
    """Speaks to endpoints on the public internet, and to others only where an operator allows it. Safe for many at once."""

    def examine(self, url: str) -> None:
        """Raise InvalidUrl or DestinationRefused for an address that no request would be sent to, without asking anybody.

        One whose name leads to where it may not is only found when it is sent to.
        """
        ...

    async def send(self, request: WebhookRequest) -> Answer:
        """Send once and say what came of it; never raises but for cancellation.

        Redirects are answers like others. The status counts once it is there: of the body up to 16 KB are kept, and what
        is longer or slower is cut off.
        """
        ...
