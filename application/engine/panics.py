"""Makes a failure of whatever a pipeline adapter raises, so that it costs its own message and no other."""

from __future__ import annotations

import asyncio


class WorkCancelled(Exception):
    """The pipeline adapter's own work was cancelled, by nobody who asked for the message to stop."""

    def __init__(self) -> None:
        super().__init__(WorkCancelled.__doc__)


class AdapterPanicked(Exception):
    """A pipeline adapter raised what is no ``Exception``: SystemExit, or a panic of a library that is written in Rust.

    Like any error that nobody knows it is worth another attempt. ``raised`` is what it was.
    """

    code = "pipeline_adapter_panicked"

    def __init__(self, raised: BaseException) -> None:
        super().__init__(f"{type(raised).__name__}: {text_of(raised)}")
        self.raised = raised


def failure_by(raised: BaseException) -> Exception:
    """The error that stands for what a pipeline adapter raised: itself, AdapterPanicked, or WorkCancelled.

    What is meant for the task or the process is raised again: a cancellation that was asked for, KeyboardInterrupt,
    GeneratorExit. To be called where it is handled, inside its task: a SystemExit that ends a task ends the event loop.
    """
    if isinstance(raised, Exception):
        return raised
    if isinstance(raised, asyncio.CancelledError) and not is_being_cancelled():
        return _caused(WorkCancelled(), raised)
    if isinstance(raised, (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)):
        raise raised
    return _caused(AdapterPanicked(raised), raised)


def text_of(error: BaseException) -> str:
    """What an error says, its type's name where it says nothing."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 (an error that cannot even be printed must not keep its message from settling)
        return f"{type(error).__name__}, which cannot be printed"


def is_being_cancelled() -> bool:
    """Whether somebody has asked for the present task to stop."""
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error
