"""Takes up in this process what a redrive has put back in the ledger."""

from __future__ import annotations

from application.engine.engine import Engine
from application.engine.snapshot import pipeline_of
from application.ports.dead_letters import Redriven
from domain.event import Event
from domain.execution import Execution, ExecutionStatus
from domain.pipeline import Pipeline


def require_runnable(engine: Engine, execution: Execution) -> Pipeline:
    """The pipeline that a redrive of an execution will run; raises SnapshotNotRunnable before anything is changed."""
    return pipeline_of(execution, engine.ports.registry)


async def take_up(engine: Engine, redriven: Redriven, pipeline: Pipeline) -> None:
    """Let the engine see what was redriven, whether the execution runs here, is just ending here, or does not.

    Raises what building its pipeline adapters raises. A process that dies before this leaves the messages to recovery.
    """
    execution = redriven.execution
    if redriven.reopened_from is not None:
        # A run of the generation before may not have been told of its end yet: it must not take this one along.
        if engine.generation_here(execution.id) < execution.generation:
            engine.end(execution.id, redriven.reopened_from)
        await engine.ended(execution.id)
        _tell_of_start(engine, execution)
    else:
        await engine.ended(execution.id)
    if execution.id in engine.running:
        engine.look_in_ledger(execution.id)
    elif execution.status is ExecutionStatus.RUNNING:
        await engine.resume(execution, pipeline)


def _tell_of_start(engine: Engine, execution: Execution) -> None:
    ports = engine.ports
    ports.events.publish(
        Event(
            id=ports.ids.new_id(),
            type="execution.started",
            execution_id=execution.id,
            at=ports.clock.now(),
            data={"generation": execution.generation},
        )
    )
