"""Messages that processes may have died of run alone, and the guilty ones do not run again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.system.clock import SystemClock
from application.engine.quarantine import QUARANTINE, NotQuiet, Quarantine
from application.engine.route_gate import RouteGate
from application.engine.route_gates import RouteGates
from application.engine.suspects import Suspects
from domain.crash import SUSPECT_FROM, Suspect
from domain.pipeline import Inbound, Route

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Listed:
    """A ledger that knows these suspects, and the part of ``ExecutionLedger`` that is asked of it."""

    known: list[Suspect]

    async def suspects(
        self, execution_ids: Sequence[UUID], *, limit: int, now: datetime
    ) -> Sequence[Suspect]:
        del now
        return [one for one in self.known if one.execution_id in execution_ids][:limit]


@dataclass
class Dealt:
    """What was run and condemned, and how many were at work then."""

    quarantine: Quarantine
    run: list[tuple[Suspect, int]] = field(default_factory=list)
    condemned: list[Suspect] = field(default_factory=list)

    async def running(self, suspect: Suspect) -> None:
        await asyncio.sleep(0)
        self.run.append((suspect, self.quarantine.at_work))

    async def condemning(self, suspect: Suspect) -> None:
        self.condemned.append(suspect)


def suspect(crashes: int = SUSPECT_FROM, execution_id: UUID | None = None) -> Suspect:
    return Suspect(
        message_id=uuid4(), execution_id=execution_id or uuid4(), route_id="first", crashes=crashes
    )


def suspects(known: list[Suspect], dealt: Dealt, *, allowed: int | None = 3) -> Suspects:
    return Suspects(
        executions=Listed(known),  # type: ignore[arg-type] # the rest of the port is not asked
        clock=SystemClock(),
        quarantine=dealt.quarantine,
        running=lambda: [one.execution_id for one in known],
        max_retries=lambda _, __: allowed,
        run=dealt.running,
        condemn=dealt.condemning,
    )


async def at_work(quarantine: Quarantine, done: asyncio.Event) -> None:
    """An ordinary message."""
    if not quarantine.is_open:
        await quarantine.opened()
    quarantine.enter()
    await done.wait()
    quarantine.leave()


async def settled_loop() -> None:
    """Let everything that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_suspect_waits_for_those_at_work_and_newcomers_wait_for_it() -> None:
    """So that it is alone."""
    quarantine = Quarantine(gates=RouteGates())
    done, others = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(at_work(quarantine, done))
    await settled_loop()
    order: list[str] = []

    async def alone() -> None:
        async with quarantine.alone():
            order.append(f"alone with {quarantine.at_work}")
            await settled_loop()
            order.append(f"still with {quarantine.at_work}")

    suspected = asyncio.create_task(alone())
    await settled_loop()
    later = asyncio.create_task(at_work(quarantine, others))
    await settled_loop()
    assert (order, quarantine.at_work) == ([], 1)
    done.set()
    await asyncio.gather(first, suspected)
    assert order == ["alone with 0", "still with 0"]
    await settled_loop()
    assert quarantine.at_work == 1
    others.set()
    await later


async def test_two_suspects_are_not_alone_together() -> None:
    """They take turns."""
    quarantine = Quarantine(gates=RouteGates())
    inside, most = 0, 0

    async def alone() -> None:
        nonlocal inside, most
        async with quarantine.alone():
            inside += 1
            most = max(most, inside)
            await settled_loop()
            inside -= 1

    await asyncio.gather(*(alone() for _ in range(5)))
    assert most == 1
    assert quarantine.is_open


async def test_what_never_ends_does_not_keep_the_others_out_for_ever() -> None:
    """The suspect waits for another time."""
    quarantine = Quarantine(gates=RouteGates())
    quarantine.enter()
    with pytest.raises(NotQuiet):
        async with quarantine.alone(0.01):
            raise AssertionError("not alone")
    assert quarantine.is_open


async def test_every_gate_is_closed_while_a_suspect_runs() -> None:
    """So that what was prefetched is handed back; and the gates open again, also after an error."""
    gates, execution_id = RouteGates(), uuid4()
    route = Route(id="first", name="first", inbound=Inbound(queue="first"), adapters=[])
    gate = RouteGate(execution_id, route, clock=SystemClock())
    gates.keep(execution_id, {"first": gate})
    quarantine = Quarantine(gates=gates)

    async def fail() -> None:
        async with quarantine.alone():
            assert gate.status().paused_by == [QUARANTINE]
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await fail()
    assert gate.is_open
    assert quarantine.is_open


async def test_suspects_run_one_after_another_alone() -> None:
    """All of them in one quarantine."""
    dealt = Dealt(Quarantine(gates=RouteGates()))
    known = [suspect(), suspect(), suspect(3)]
    assert await suspects(known, dealt).look() == 3
    assert dealt.run == [(one, 0) for one in known]
    assert dealt.condemned == []


async def test_a_guilty_message_does_not_run_again() -> None:
    """Its neighbours do."""
    dealt = Dealt(Quarantine(gates=RouteGates()))
    guilty, other = suspect(4), suspect(3)
    await suspects([guilty, other], dealt).look()
    assert dealt.condemned == [guilty]
    assert dealt.run == [(other, 0)]
    assert guilty.verdict.code == "worker_died"


async def test_a_suspect_of_a_paused_route_is_left_alone() -> None:
    """And keeps nobody out."""
    dealt = Dealt(Quarantine(gates=RouteGates()))
    dealt.quarantine.enter()
    assert await suspects([suspect()], dealt, allowed=None).look() == 0
    assert (dealt.run, dealt.condemned) == ([], [])


@pytest.mark.parametrize(
    ("crashes", "max_retries", "is_guilty"),
    [
        (1, 0, False),
        (2, 0, False),
        (3, 0, True),
        (3, 3, False),
        (4, 3, True),
        (10, 10, False),
        (11, 10, True),
    ],
)
def test_no_message_is_guilty_by_crashes_in_company_alone(
    crashes: int, max_retries: int, is_guilty: bool
) -> None:
    """Even on a route without retries one death must have come when nothing else was at work."""
    assert suspect(crashes).is_guilty(max_retries) is is_guilty
