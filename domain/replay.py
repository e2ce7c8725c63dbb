"""Replays: what an execution kept at one of its stages, run again in a new execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound
from domain.json import Json, JsonObject
from domain.storage import InvalidKey, require_valid_key

MOST_GIVEN = 1000


class InvalidReplay(Invalid):
    """The replay cannot be made as asked."""

    code = "invalid_replay"


class ReplayStageUnknown(NotFound):
    """The execution has no stage of that name."""

    code = "replay_stage_unknown"


class ReplayStageAmbiguous(Invalid):
    """Several routes of the execution have a stage of that name: put the route before it."""

    code = "replay_stage_ambiguous"


class ReplayRouteUnknown(NotFound):
    """The pipeline has no route of that name."""

    code = "replay_route_unknown"


class ReplayRouteNeeded(Invalid):
    """Not exactly one route follows the stage, so the replay must name the route to send to."""

    code = "replay_route_needed"


class ReplayRouteUnfit(Invalid):
    """The route's first pipeline adapter cannot begin with a stored object."""

    code = "replay_route_unfit"


class ReplayBatchNotFound(NotFound):
    """There is no replay batch with that id."""

    code = "replay_batch_not_found"


class ReplaySourceEmpty(Conflict):
    """There is nothing to replay."""

    code = "replay_source_empty"


class ReplaySourceGone(Conflict):
    """What was to be replayed is no longer there."""

    code = "replay_source_gone"


class ReplaySource(StrEnum):
    """Where the messages of a replay are taken from."""

    STORAGE = "storage"
    LINEAGE = "lineage"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """What to replay, and into which route.

    ``from_stage`` is ``<stage>`` or ``<route>/<stage>``, for lineage also ``<route>`` or a pipeline adapter's type;
    only a manual replay may do without. ``from_path`` narrows stored objects to keys that go on so after the stage.
    Without ``to_route`` the messages go where the stage's route sends to. ``config_id`` runs them through the present
    version of that config instead of the parent's own. A manual replay gives keys of stored objects, payloads, or both.
    """

    source: ReplaySource = ReplaySource.STORAGE
    from_stage: str | None = None
    from_path: str = ""
    to_route: str | None = None
    config_id: UUID | None = None
    object_keys: Sequence[str] = ()
    payloads: Sequence[JsonObject] = ()
    tag: str | None = None
    metadata: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_manual = self.source is ReplaySource.MANUAL
        if not is_manual and not self.stage_asked:
            raise InvalidReplay(f"a replay from {self.source} must say from which stage (from_stage)")
        if self.from_path and self.source is not ReplaySource.STORAGE:
            raise InvalidReplay("from_path goes with replays from storage")
        given = len(self.object_keys) + len(self.payloads)
        if given and not is_manual:
            raise InvalidReplay("object_keys and payloads go with manual replays")
        if is_manual and not 1 <= given <= MOST_GIVEN:
            raise InvalidReplay(f"a manual replay gives 1 to {MOST_GIVEN} object_keys and payloads")

    @property
    def stage_asked(self) -> str:
        """The stage without slashes at its ends, which a shell's completion adds; empty when none was given."""
        return (self.from_stage or "").strip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where in the parent a replay begins: a stage of a route, kept there by a pipeline adapter.

    ``stage`` is None for every message of the route; ``kept_by`` is None where nobody knows.
    """

    route_id: str
    stage: str | None = None
    kept_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a replay's messages go: ``to_route`` in the end, ``enters`` at first.

    They differ when the stage was kept in the middle of its route: then the rest of that route runs first, which is
    its first pipeline adapter (that loads the object) and those after position ``after_step``.
    """

    to_route: str
    enters: str
    after_step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A replay as its execution's snapshot keeps it under ``replay``. ``found`` is how many messages it has at least."""

    source: ReplaySource
    parent_id: UUID
    batch_id: UUID
    origin: Origin | None
    from_path: str
    destination: Destination
    found: int

    @property
    def prefix(self) -> str:
        """What the keys of its stored objects begin with; raises InvalidReplay when it has no stage."""
        if self.origin is None or self.origin.stage is None:
            raise InvalidReplay("a replay from storage needs a stage")
        return stage_prefix(self.parent_id, self.origin.route_id, self.origin.stage) + self.from_path

    def as_json(self) -> JsonObject:
        """What ``replay_of`` reads."""
        origin, destination = self.origin, self.destination
        return {
            "source": self.source.value,
            "parent_execution_id": str(self.parent_id),
            "replay_batch_id": str(self.batch_id),
            "from_route": None if origin is None else origin.route_id,
            "from_stage": None if origin is None else origin.stage,
            "from_path": self.from_path,
            "to_route": destination.to_route,
            "enters_route": destination.enters,
            "after_step": destination.after_step,
            "found": self.found,
        }


def replay_of(value: Json) -> Replay:
    """The replay that a snapshot keeps; raises InvalidReplay when it cannot be read."""
    try:
        return _replay_of(value)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidReplay(f"the frozen replay cannot be read: {error!r}") from error


def _replay_of(value: Json) -> Replay:
    if not isinstance(value, Mapping):
        raise TypeError("it is no object")
    route, stage, after = value["from_route"], value["from_stage"], value["after_step"]
    return Replay(
        source=ReplaySource(str(value["source"])),
        parent_id=UUID(str(value["parent_execution_id"])),
        batch_id=UUID(str(value["replay_batch_id"])),
        origin=None
        if route is None
        else Origin(route_id=str(route), stage=None if stage is None else str(stage)),
        from_path=str(value["from_path"]),
        destination=Destination(
            to_route=str(value["to_route"]),
            enters=str(value["enters_route"]),
            after_step=after if isinstance(after, int) else None,
        ),
        found=int(str(value["found"])),
    )


def stage_prefix(execution_id: UUID, route_id: str, stage: str) -> str:
    """What the keys of a stage's objects begin with; raises InvalidKey for what no key can begin with."""
    prefix = f"executions/{execution_id}/{route_id}/{stage}/"
    require_valid_key(prefix + "_")
    return prefix


def require_valid_path(prefix: str, from_path: str) -> str:
    """The path below a stage without a leading slash, or InvalidKey."""
    path = from_path.lstrip("/")
    whole = prefix + path
    if path.startswith(".."):
        raise InvalidKey(f"the path {from_path[:200]!r} leads out of its stage")
    require_valid_key(whole + "_" if whole.endswith("/") else whole)
    return path
