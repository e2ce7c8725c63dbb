"""Reads from the stack of a thread what it is doing, and for which message."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from application.ports.pipeline_adapter import PipelineContext
from domain.json import JsonObject

DEEPEST_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """The pipeline adapter that a thread is in, and the message it is at."""

    adapter_type: str
    execution_id: str
    route_id: str
    message_id: str

    def told(self) -> JsonObject:
        """As JSON, for a health page."""
        return {
            "adapter_type": self.adapter_type,
            "execution_id": self.execution_id,
            "route_id": self.route_id,
            "message_id": self.message_id,
        }

    def __str__(self) -> str:
        return (
            f"the pipeline adapter {self.adapter_type} of the route {self.route_id} "
            f"in execution {self.execution_id}, at message {self.message_id}"
        )


def culprit_in(frame: FrameType) -> Culprit | None:
    """Whoever has a PipelineContext at hand, which is a pipeline adapter; None when there is nobody on the stack."""
    for each in _outwards(frame):
        for value in list(each.f_locals.values()):
            if isinstance(value, PipelineContext):
                return Culprit(
                    adapter_type=value.adapter_type or _class_in(each),
                    execution_id=str(value.execution_id),
                    route_id=value.route_id,
                    message_id=str(value.message_id),
                )
    return None


def is_idle(frame: FrameType) -> bool:
    """Whether the thread waits for events, which an event loop does in ``selectors`` or in its own C code."""
    return frame.f_globals.get("__name__") in {"selectors", "asyncio.base_events", "asyncio.runners"}


def lines_of(frame: FrameType) -> str:
    """The innermost lines of the stack, the innermost last."""
    return "".join(traceback.format_list(traceback.extract_stack(frame)[-DEEPEST_LINES:]))


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _class_in(frame: FrameType) -> str:
    return type(frame.f_locals["self"]).__name__ if "self" in frame.f_locals else frame.f_code.co_name
