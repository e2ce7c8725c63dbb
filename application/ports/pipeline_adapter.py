"""The unit of work of a route: one message in, none or many out. What third parties implement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from domain.findings import ConfigProblem
from domain.json import JsonObject


class Stage(Protocol):
    """Keeps what an adapter makes of a message in storage, under the message's own key."""

    async def keep(
        self,
        stage: str,
        content: bytes,
        *,
        extension: str = "",
        content_type: str = "application/octet-stream",
        metadata: JsonObject | None = None,
    ) -> str:
        """Write the stage's object unless an earlier attempt did; returns its key. Provenance is added by itself."""
        ...

    async def kept(self, stage: str, *, extension: str = "") -> bytes | None:
        """What an earlier attempt at this message kept for the stage, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineContext:
    """What a pipeline adapter is given: the message so far and where it stands.

    ``message`` is the payload as the adapter before left it; ``metadata`` the provenance gathered on the way.
    """

    message: JsonObject
    metadata: JsonObject
    execution_id: UUID
    route_id: str
    message_id: UUID
    correlation_id: UUID
    attempt: int
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """One message to be sent on. ``key`` must be the same for the same output in every attempt;
    None stands for its position.
    """

    payload: JsonObject
    metadata: JsonObject = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterResult:
    """What a pipeline adapter made of a message.

    ``message`` goes to the next adapter of the route. ``emitted`` of the *last* adapter goes to the outbound queues;
    None there sends ``message`` itself, an empty sequence nothing. An async iterator is committed in chunks while it
    runs. ``metadata`` is added to the provenance. ``stage`` names the stage that was written, if one was.
    """

    message: JsonObject
    emitted: Sequence[Emission] | AsyncIterator[Emission] | None = None
    metadata: JsonObject = field(default_factory=dict)
    stage: str | None = None


class PipelineAdapter(Protocol):
    """One unit of work. One instance serves every message of a route in one execution, many at a time.

    Must expect CancelledError at any await. May be given the same message again after a crash.
    """

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Handle one message. None ends its way here (it settles as skipped).

        An error of kind Invalid, NotFound, Conflict or Refused is terminal: the message goes dead with it at once.
        Unavailable is retried without using up retries; any other exception is retried up to the route's limit.
        """
        ...


class PipelineAdapterRegistry(Protocol):
    """The pipeline adapters there are, by the name that YAML uses."""

    def types(self) -> Mapping[str, str]:
        """Every type with one sentence on what it does."""
        ...

    def check(self, type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        """Everything wrong with a step's config, nothing when it is right; an unknown type is a problem too."""
        ...

    def version(self, type: str) -> str:
        """What to freeze in a snapshot to recognise a changed adapter; raises UnknownPipelineAdapter."""
        ...

    def build(self, type: str, config: JsonObject) -> PipelineAdapter:
        """An adapter for one route of one execution; raises UnknownPipelineAdapter, InvalidAdapterConfig."""
        ...
