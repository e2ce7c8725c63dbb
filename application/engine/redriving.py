"""Takes up in this process what a redrive has put back in the ledger."""

from __future__ import annotations

from application.engine.announcing import announce
from application.engine.engine import Engine
from application.engine.signals import SignalKind
from application.engine.snapshot import pipeline_of
from application.ports.dead_letters import Redriven
from domain.execution import Execution, ExecutionStatus
from domain.pipeline import Pipeline


def require_runnable(engine: Engine, execution: Execution) -> Pipeline:
    """The pipeline that a redrive of an execution will run; raises SnapshotNotRunnable before anything is changed."""
    return pipeline_of(execution, engine.ports.registry)


async def take_up(engine: Engine, redriven: Redriven, pipeline: Pipeline) -> None:
    """Let the engine see what was redriven, whether the execution runs here, is just ending here, or does not.

    Raises what building its pipeline adapters raises. A process that dies before this leaves the messages to recovery.
    Other processes are told where to look.
    """
    execution = redriven.execution
    if redriven.reopened_from is not None:
        # A run of the generation before may not have been told of its end yet: it must not take this one along.
        if engine.generation_here(execution.id) < execution.generation:
            engine.retire(execution.id, redriven.reopened_from)
        await engine.ended(execution.id)
        announce(engine.ports, "execution.started", execution.id, execution.generation)
    else:
        await engine.ended(execution.id)
        # Where it has been running all along there is nothing to take up, only to look.
        engine.signals.send(SignalKind.MESSAGES, execution.id)
    if execution.id in engine.running:
        engine.look_in_ledger(execution.id)
    elif execution.status is ExecutionStatus.RUNNING:
        await engine.resume(execution, pipeline)
    engine.signals.send(SignalKind.EXECUTION, execution.id)
