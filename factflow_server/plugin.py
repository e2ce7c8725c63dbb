"""What a pipeline adapter from elsewhere imports; this module, and no other, keeps its names over versions.

    from factflow_server.plugin import AdapterResult, PipelineContext

    class Shout:
        async def process(self, context: PipelineContext) -> AdapterResult | None:
            return AdapterResult(message={"text": str(context.message["text"]).upper()})

Raise one of the errors below to say what became of a message; `PipelineAdapter.process` tells what each one does.
"""

from application.ports.pipeline_adapter import (
    AdapterResult,
    Emission,
    PipelineAdapter,
    PipelineContext,
    Stage,
)
from domain.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from domain.json import Json, JsonObject

__all__ = [
    "AdapterResult",
    "Conflict",
    "Emission",
    "Invalid",
    "Json",
    "JsonObject",
    "NotFound",
    "PipelineAdapter",
    "PipelineContext",
    "Refused",
    "Stage",
    "Unavailable",
]
