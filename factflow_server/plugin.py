"""What a pipeline adapter from elsewhere imports; this module, and no other, keeps its names over versions.

    from dataclasses import dataclass
    from factflow_server.plugin import AdapterResult, PipelineContext, Registration

    @dataclass(frozen=True, kw_only=True)
    class ShoutConfig:
        mark: str = "!"

    class Shout:
        def __init__(self, config: ShoutConfig) -> None:
            self._mark = config.mark

        async def process(self, context: PipelineContext) -> AdapterResult | None:
            return AdapterResult(message={"text": str(context.message["text"]).upper() + self._mark})

    shout = Registration(type="shout", description="Shouts.", config=ShoutConfig, build=Shout)

The package names the registration under the entry-point group ``factflow.pipeline_adapters``; the entry point has the
name of the type. Raise one of the errors below to say what became of a message; `PipelineAdapter.process` tells what
each one does.
"""

from application.call_limiter import call_limiter
from application.calls import Calls
from application.ports.pipeline_adapter import (
    AdapterExample,
    AdapterResult,
    CollectedMessage,
    CollectingAdapter,
    Emission,
    GroupContext,
    PipelineAdapter,
    PipelineContext,
    Registration,
    RouteContext,
    Stage,
    StatefulAdapter,
)
from domain.call_failure import RateLimited
from domain.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from domain.grouping import Grouping
from domain.json import Json, JsonObject

__all__ = [
    "AdapterExample",
    "AdapterResult",
    "Calls",
    "CollectedMessage",
    "CollectingAdapter",
    "Conflict",
    "Emission",
    "GroupContext",
    "Grouping",
    "Invalid",
    "Json",
    "JsonObject",
    "NotFound",
    "PipelineAdapter",
    "PipelineContext",
    "RateLimited",
    "Refused",
    "Registration",
    "RouteContext",
    "Stage",
    "StatefulAdapter",
    "Unavailable",
    "call_limiter",
]
