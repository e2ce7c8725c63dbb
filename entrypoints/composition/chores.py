"""What a running server or worker does now and then, beside its work."""

from __future__ import annotations

from application.chores import Chore, Chores
from application.forgetting import Forgetting, Kept
from application.kept_payloads import KeptPayloads
from application.purged_payloads import PurgedPayloads
from application.uploading import Uploading
from application.webhooks.backlog import Backlog
from entrypoints.composition.adapters import Adapters
from entrypoints.settings import Settings

HOUR = 3600.0
MINUTE = 60.0


def make_chores(
    adapters: Adapters, settings: Settings, uploading: Uploading, *, is_server: bool = True
) -> Chores:
    """Erasing what is purged, telling of uploads that a process has left behind, forgetting what is old.

    Only a server forgets: workers have settings of their own, and would delete what servers are told to keep.
    """
    purged = PurgedPayloads(letters=adapters.dead_letters(), storage=adapters.storage())
    chores = [
        Chore(name="purged payloads", seconds=HOUR, do=purged.erase),
        Chore(
            name="webhook backlog",
            seconds=MINUTE,
            do=Backlog(deliveries=adapters.webhook_deliveries()).clear,
        ),
        Chore(name="left uploads", seconds=MINUTE, do=uploading.tell_of_left),
    ]
    if is_server:
        chores.append(Chore(name="retention", seconds=HOUR, do=make_forgetting(adapters, settings).forget))
    return Chores(chores=chores, clock=adapters.clock())


def make_forgetting(adapters: Adapters, settings: Settings) -> Forgetting:
    """Everything that would grow for ever otherwise; lineage comes after the executions that it is of."""
    retention, deliveries = adapters.retention(), adapters.webhook_deliveries()
    audit_log, records = adapters.audit_log(), adapters.idempotency_records()
    return Forgetting(
        kept=[
            Kept(
                name="messages and executions",
                days=settings.execution_retention_days,
                forget=retention.forget_executions,
            ),
            Kept(
                name="payloads in storage",
                days=settings.execution_retention_days,
                forget=KeptPayloads(storage=adapters.storage(), work=adapters.work()).forget,
            ),
            Kept(
                name="lineage entries",
                days=settings.lineage_retention_days,
                forget=retention.forget_lineage,
            ),
            Kept(
                name="chat threads",
                days=settings.chat_retention_days,
                forget=retention.forget_threads,
            ),
            Kept(
                name="webhook deliveries",
                days=settings.webhook_retention_days,
                forget=deliveries.forget,
            ),
            Kept(
                name="audit entries",
                days=settings.audit_retention_days,
                forget=audit_log.forget,
            ),
            Kept(
                name="idempotency keys",
                days=settings.idempotency_retention_hours / 24,
                forget=records.forget,
            ),
        ],
        clock=adapters.clock(),
    )


def make_uploading(adapters: Adapters) -> Uploading:
    """Uploads into storage, each told of."""
    return Uploading(
        storage=adapters.storage(), uploads=adapters.uploads(), clock=adapters.clock(), ids=adapters.ids()
    )
