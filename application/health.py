"""How the service is, asked of every part for itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from application.call_limiter import call_statuses
from application.engine.engine import Engine
from application.engine.loop_watch import LoopWatch
from application.engine.route_pauses import RoutePauses
from application.engine.route_status import BreakerStatus, RouteStatus
from application.engine.standing_down import REPLACED
from application.ports.clock import Clock
from application.ports.readiness import ComponentHealth, Health, Readiness
from domain.circuit_breaker import BreakerState
from domain.errors import FactflowError
from domain.json import JsonObject

log = logging.getLogger(__name__)

LONGEST_CHECK_SECONDS = 3.0
MOST_NAMED = 3
MOST_TOLD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """The answers of all components, and the worst of them as the answer of the whole."""

    status: Health
    components: Sequence[ComponentHealth]
    at: datetime
    uptime_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemHealth:
    """Asks every component at once; one that does not answer in three seconds is unhealthy."""

    components: Sequence[Readiness]
    clock: Clock
    started_at: datetime

    async def report(self, *, debug: bool = False) -> HealthReport:
        """How everything is; with ``debug`` the components' details are kept."""
        answers = await asyncio.gather(*(_answer(component, debug=debug) for component in self.components))
        return HealthReport(
            status=_worst(answers),
            components=answers,
            at=self.clock.now(),
            uptime_seconds=self.uptime_seconds(),
        )

    def uptime_seconds(self) -> float:
        """How long the service has been up."""
        return (self.clock.now() - self.started_at).total_seconds()


async def _answer(component: Readiness, *, debug: bool) -> ComponentHealth:
    try:
        async with asyncio.timeout(LONGEST_CHECK_SECONDS):
            answer = await component.check()
    except TimeoutError:
        return _unhealthy(component, f"no answer within {LONGEST_CHECK_SECONDS:g} seconds")
    except FactflowError as error:
        return _unhealthy(component, error.message)
    except Exception:
        # One part's defect must not hide how the others are; what it says may be a secret, so the log alone has it.
        log.exception("%s could not be asked how it is", component.component)
        return _unhealthy(component, "it could not be asked; the log tells why")
    if debug:
        return answer
    return ComponentHealth(name=answer.name, health=answer.health, message=answer.message)


def _unhealthy(component: Readiness, message: str) -> ComponentHealth:
    return ComponentHealth(name=component.component, health=Health.UNHEALTHY, message=message)


def _worst(answers: Sequence[ComponentHealth]) -> Health:
    found = {answer.health for answer in answers}
    return next((health for health in (Health.UNHEALTHY, Health.DEGRADED) if health in found), Health.HEALTHY)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorReadiness:
    """The engine's own answer: how many executions have their processors here, and how often its loop was blocked.

    Unhealthy from the moment at which another server has taken the database, because nothing is worked on here any more;
    degraded while a circuit breaker is open. Details: the breakers that are not closed, and the calls to providers.
    """

    engine: Engine
    loop: LoopWatch | None = None
    route_pauses: RoutePauses | None = None
    component: str = "orchestrator"

    async def check(self) -> ComponentHealth:
        """See the port."""
        details: JsonObject = {"running_executions": len(self.engine.running)}
        if self.loop is not None:
            details = {**details, "event_loop": self.loop.told()}
        breakers = [
            (route, breaker)
            for route in (gate.status() for gate in self.engine.gates)
            for breaker in route.breakers
            if breaker.state is not BreakerState.CLOSED
        ]
        details = {
            **details,
            "circuit_breakers": [_told(route, breaker) for route, breaker in breakers[:MOST_TOLD]],
            "calls": [asdict(status) for status in call_statuses()],
        }
        if self.route_pauses is not None and REPLACED in self.route_pauses.for_good:
            return ComponentHealth(
                name=self.component, health=Health.UNHEALTHY, message=_REPLACED, details=details
            )
        opened = [(route, breaker) for route, breaker in breakers if breaker.state is BreakerState.OPEN]
        return ComponentHealth(
            name=self.component,
            health=Health.DEGRADED if opened else Health.HEALTHY,
            message=_open_breakers(opened) if opened else None,
            details=details,
        )


_REPLACED = "this server takes no more messages: another one works on the database; stop this one"


def _open_breakers(opened: Sequence[tuple[RouteStatus, BreakerStatus]]) -> str:
    named = [
        f"{breaker.adapter} in route {route.route_id} of execution {route.execution_id}"
        for route, breaker in opened[:MOST_NAMED]
    ]
    more = f" and {len(opened) - MOST_NAMED} more" if len(opened) > MOST_NAMED else ""
    return f"open circuit breakers: {', '.join(named)}{more}"


def _told(route: RouteStatus, breaker: BreakerStatus) -> JsonObject:
    return {
        "execution_id": str(route.execution_id),
        "route_id": route.route_id,
        "adapter_name": breaker.adapter,
        "adapter_index": breaker.index,
        "state": breaker.state.value,
        "probes_at": None if breaker.probes_at is None else breaker.probes_at.isoformat(),
    }
