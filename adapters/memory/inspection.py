"""Counts what is kept in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from adapters.memory.corpus import Corpus
from adapters.memory.ledger import MemoryLedger
from adapters.memory.webhook_store import WebhookStore
from application.ports.inspection import DatabaseFacts, Totals


class MemoryInspection:
    """Goes through everything; there are no relations, and nothing has a size."""

    def __init__(self, ledger: MemoryLedger, corpus: Corpus, webhooks: WebhookStore) -> None:
        self._ledger, self._corpus, self._webhooks = ledger, corpus, webhooks

    async def totals(self) -> Totals:
        """See the port."""
        executions = self._ledger.executions.values()
        messages: Counter[str] = Counter()
        for execution in executions:
            messages.update(asdict(execution.counts))
        versions = [held for each in self._corpus.versions.values() for held in each.values()]
        return Totals(
            executions=Counter(execution.status.value for execution in executions),
            messages=+messages,
            deliveries=Counter(delivery.state.value for delivery in self._webhooks.deliveries.values()),
            documents=sum(held.is_current for held in versions),
        )

    async def facts(self) -> DatabaseFacts:
        """See the port."""
        return DatabaseFacts(product="memory", version="0")
