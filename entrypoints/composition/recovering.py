"""Puts together what takes up the work that others have left."""

from __future__ import annotations

import os
import socket
from functools import partial
from uuid import UUID

from application.engine.engine import Engine
from application.engine.recovery import Recovery
from application.engine.route_pauses import RoutePauses
from application.ports.leases import WorkerFacts
from application.ports.unit_of_work import UnitOfWork
from domain.execution import Execution
from entrypoints.composition.adapters import Adapters
from entrypoints.settings import Settings


def make_recovery(
    adapters: Adapters, settings: Settings, engine: Engine, route_pauses: RoutePauses
) -> Recovery:
    """Whoever has a queue of its own is alone."""
    return Recovery(
        engine=engine,
        leases=adapters.leases(),
        is_alone=not engine.shares,
        chores=[lambda: route_pauses.apply(engine.running)],
        read=partial(_execution, adapters.work()),
        worker=_worker(adapters, settings),
    )


async def _execution(work: UnitOfWork, execution_id: UUID) -> Execution:
    async with work.begin() as repositories:
        return await repositories.executions.get(execution_id)


def _worker(adapters: Adapters, settings: Settings) -> WorkerFacts:
    host, pid = socket.gethostname(), os.getpid()
    return WorkerFacts(
        name=settings.name or f"{host}:{pid}",
        host=host,
        pid=pid,
        since=adapters.clock().now(),
        takes_messages=settings.routes,
    )
