"""What the engine works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from application.ports.clock import Clock
from application.ports.event_bus import EventBus
from application.ports.execution_ledger import ExecutionLedger
from application.ports.group_ledger import GroupLedger
from application.ports.id_source import IdSource
from application.ports.ledger import Ledger
from application.ports.lineage import LineageSink
from application.ports.message_queue import MessageQueue
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import PipelineAdapterRegistry
from domain.circuit_breaker import BreakerRules


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How the engine behaves; times in seconds. ``max_dead_letters`` counts where a pipeline has no such limit."""

    group_commit_linger: float = 0.005
    group_commit_largest: int = 500
    adapter_timeout: float = 300.0
    lease: float = 15.0
    max_dead_letters: int | None = None
    breaker: BreakerRules = field(default_factory=BreakerRules)


def nothing(point: str) -> None:
    """What happens at a fault point outside of tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePorts:
    """Every port that running an execution needs. ``owner`` is this process in claims and leases.

    ``at`` is called by the name of each point at which a death of the process would leave another state behind:
    started, claimed, processed, chunk_committed, settling, settled, published, acknowledged. Tests die there.
    """

    owner: UUID
    ledger: Ledger
    executions: ExecutionLedger
    groups: GroupLedger
    queue: MessageQueue
    storage: ObjectStorage
    lineage: LineageSink
    events: EventBus
    registry: PipelineAdapterRegistry
    clock: Clock
    ids: IdSource
    settings: EngineSettings = EngineSettings()
    at: Callable[[str], None] = nothing
