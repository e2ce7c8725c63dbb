"""Puts aside what disabled and removed subscriptions leave behind."""

from __future__ import annotations

from dataclasses import dataclass

from application.ports.webhook_deliveries import WebhookDeliveries

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """In batches that each are short, so that nobody waits for long."""

    deliveries: WebhookDeliveries

    async def clear(self) -> None:
        """Until nothing is left."""
        while await self.deliveries.clear_backlog(limit=BATCH):
            pass
