"""The unit of work of a route: one message in, or a group of them, none or many out. What third parties implement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable
from uuid import UUID

from domain.findings import ConfigProblem
from domain.grouping import Grouping
from domain.json import Json, JsonObject
from domain.values import quickly_made


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


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineContext:
    """What a pipeline adapter is given: the message so far and where it stands.

    ``message`` is the payload as the adapter before left it; ``metadata`` the provenance gathered on the way.
    ``adapter_type`` is the name under which YAML has the adapter.
    """

    message: JsonObject
    metadata: JsonObject
    execution_id: UUID
    route_id: str
    message_id: UUID
    correlation_id: UUID
    attempt: int
    stage: Stage
    adapter_type: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """One message to be sent on. ``key`` must be the same for the same output in every attempt;
    None stands for its position.
    """

    payload: JsonObject
    metadata: JsonObject = field(default_factory=dict)
    key: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterResult:
    """What a pipeline adapter made of a message.

    ``message`` goes to the next adapter of the route. ``emitted`` of the *last* adapter goes to the outbound queues;
    None there sends ``message`` itself, an empty sequence nothing. An async iterator is committed in chunks while it
    runs, and the time limit holds for each step of it; a step that has nothing to emit yields None, which stands for
    no emission and for no position. ``metadata`` is added to the provenance. ``stage`` names the stage that was written,
    if one was.
    """

    message: JsonObject
    emitted: Sequence[Emission] | AsyncIterator[Emission | None] | None = None
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


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedMessage:
    """One message of a group; ``metadata`` is its own provenance."""

    message: JsonObject
    metadata: JsonObject
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupContext:
    """Where a group stands.

    ``group_id`` is the same for the same messages and another one for any others; what ``stage`` keeps is kept under it.
    ``key`` is the value of the grouping's field, None without one. ``metadata`` is the provenance that all its messages
    have in common; ``attempt`` is that of the one that has been tried most often.
    """

    execution_id: UUID
    route_id: str
    group_id: UUID
    key: Json
    metadata: JsonObject
    correlation_id: UUID
    attempt: int
    stage: Stage
    adapter_type: str = ""


@runtime_checkable
class CollectingAdapter(Protocol):
    """One unit of work that takes many messages at once; it is the first of its route.

    The engine forms the groups as ``grouping`` says. Until ``collect`` has returned and what became of the group is
    committed, all its messages are unsettled; then they are settled in one transaction, and what is emitted exists with
    it. After a crash they come again, it may be in other groups.
    """

    @property
    def grouping(self) -> Grouping:
        """When a group is complete."""
        ...

    async def collect(
        self, messages: Sequence[CollectedMessage], context: GroupContext
    ) -> AdapterResult | None:
        """Handle a group of one message or more, in the order in which they came; otherwise as ``process`` does.

        None ends the way of all of them here (they settle as skipped). ``message`` goes on to the next adapter of the
        route, as one. An error that is worth another attempt has the whole group tried again, as often as each message
        has retries left; after one that is not, each message is tried in a group by itself, and its own outcome counts.
        """
        ...


BuiltAdapter: TypeAlias = PipelineAdapter | CollectingAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteContext:
    """Where an instance of a pipeline adapter works: one route of one execution."""

    execution_id: UUID
    route_id: str


@runtime_checkable
class StatefulAdapter(Protocol):
    """What a pipeline adapter has besides ``process`` when it keeps something from message to message.

    One instance is made, opened and closed for each route of each execution in each process. Its state is a cache:
    after a crash a new instance starts empty, and the messages that were not settled come again.
    """

    async def open(self, context: RouteContext) -> None:
        """Called once, before the route receives its first message; what it raises fails the run with that reason."""
        ...

    async def close(self) -> None:
        """Called once when the run ends here, however it ends, and after no message is in ``process`` any more.

        Not called unless ``open`` returned. What it raises is logged and changes nothing.
        """
        ...


SERVER_PACKAGE = "factflow-server"
ConfigClass: TypeAlias = type[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterExample:
    """What an example pipeline needs to know beside the config's schema.

    ``config`` gives fields that stand for themselves, such as required ones; ``payload`` is a message for the route.
    ``before`` and ``after`` name the pipeline adapters around it in its route, ``then`` those of the route that takes
    what it emits.
    """

    config: JsonObject = field(default_factory=dict)
    payload: JsonObject = field(default_factory=dict)
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    then: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One pipeline adapter: the ``type`` that YAML names, one sentence on what it does, and how it is built.

    ``config`` is a dataclass, or another class that msgspec converts; its ``__post_init__`` may raise ValueError for
    what its fields' types do not say. ``build`` takes an instance of it and does no I/O. ``version`` changes whenever
    the same message may come out differently; None stands for the version of the package that it comes from.
    ``package`` is that package, and is filled in by whoever finds it. ``example`` is for people who want to see it used.
    ``collects``: what is built is a ``CollectingAdapter``.
    """

    type: str
    description: str
    config: ConfigClass
    build: Callable[[Any], BuiltAdapter]
    version: str | None = None
    package: str = SERVER_PACKAGE
    example: AdapterExample = field(default_factory=AdapterExample)
    collects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedAdapter:
    """A pipeline adapter as the catalogue has it; ``config_schema`` is the JSON Schema of its config."""

    type: str
    description: str
    version: str
    package: str
    config_schema: JsonObject
    example: AdapterExample = field(default_factory=AdapterExample)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableAdapter:
    """A pipeline adapter that an installed package declares and that cannot be used, with the reason."""

    type: str
    package: str
    reason: str


class PipelineAdapterCatalogue(Protocol):
    """What there is to name in YAML, for people to choose from."""

    def described(self) -> Sequence[DescribedAdapter]:
        """Every pipeline adapter that can be used, by type. Its first call may import packages: not for an event loop."""
        ...

    def unusable(self) -> Sequence[UnusableAdapter]:
        """What installed packages declare and cannot be used, by type; never raises. As slow as ``described``."""
        ...


class PipelineAdapterRegistry(Protocol):
    """The pipeline adapters there are, by the name that YAML uses."""

    def types(self) -> Mapping[str, str]:
        """Every type with one sentence on what it does."""
        ...

    def check(self, type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        """Everything wrong with a step's config, nothing when it is right; an unknown type is a problem too."""
        ...

    def collects(self, type: str) -> bool:
        """Whether what is built for a type is a ``CollectingAdapter``; False for an unknown one."""
        ...

    def version(self, type: str) -> str:
        """What to freeze in a snapshot to recognise a changed adapter; raises UnknownPipelineAdapter."""
        ...

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        """An adapter for one route of one execution; raises UnknownPipelineAdapter, InvalidAdapterConfig."""
        ...
