"""What looks after the vectors of embedding slots, over its adapters."""

from __future__ import annotations

from application.embedding_holdings import EmbeddingHoldings
from application.executions import Executions
from entrypoints.composition.adapters import Adapters


def make_holdings(adapters: Adapters, executions: Executions) -> EmbeddingHoldings:
    """Over the slots of the database and the models of the settings."""
    return EmbeddingHoldings(
        slots=adapters.slots(),
        models=adapters.models(),
        documents=adapters.documents(),
        executions=executions,
    )
