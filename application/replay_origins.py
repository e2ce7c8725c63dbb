"""Finds the stage of a parent that a replay begins at."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass

from application.ports.message_history import MessageHistory, StageSeen
from application.ports.object_storage import ObjectStorage
from domain.errors import FactflowError
from domain.execution import Execution
from domain.replay import (
    Origin,
    ReplayRequest,
    ReplaySource,
    ReplaySourceEmpty,
    ReplaySourceGone,
    ReplayStageAmbiguous,
    ReplayStageUnknown,
    require_valid_path,
    stage_prefix,
)
from domain.storage import StoredObject

MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOrigins:
    """Looks in storage for stages that kept objects, and in history for what messages passed."""

    storage: ObjectStorage
    history: MessageHistory

    async def find(self, parent: Execution, request: ReplayRequest) -> Origin | None:
        """The stage asked for, None when a manual replay names none.

        A route before the stage decides. Raises ReplayStageUnknown, ReplayStageAmbiguous, ReplaySourceGone when only
        lineage knows the stage, ReplaySourceEmpty when it kept nothing or nothing of it lies under the path, InvalidKey.
        """
        if request.source is ReplaySource.LINEAGE:
            return await self._in_history(parent, request.stage_asked)
        if not request.stage_asked:
            return None
        return await self._in_storage(parent, request)

    async def _in_storage(self, parent: Execution, request: ReplayRequest) -> Origin:
        asked = request.stage_asked
        routes = route_ids_of(parent)
        route, _, stage = asked.partition("/")
        named = [(route, stage)] if stage and route in routes else []
        for candidates in (named, [(each, asked) for each in routes]):
            found = [one for each in candidates if (one := await self._kept(parent, *each)) is not None]
            if len(found) == 1:
                await self._require_something(parent, found[0], request.from_path)
                return found[0]
            if found:
                raise _ambiguous(asked, [origin.route_id for origin in found])
        raise await self._not_there(parent, asked)

    async def _kept(self, parent: Execution, route_id: str, stage: str) -> Origin | None:
        stored = await _first(self.storage.list(stage_prefix(parent.id, route_id, stage)))
        if stored is None:
            return None
        keeper = stored.metadata.get("adapter_name")
        return Origin(route_id=route_id, stage=stage, kept_by=keeper if isinstance(keeper, str) else None)

    async def _require_something(self, parent: Execution, origin: Origin, from_path: str) -> None:
        prefix = stage_prefix(parent.id, origin.route_id, origin.stage or "")
        path = require_valid_path(prefix, from_path)
        if path and await _first(self.storage.list(prefix + path)) is None:
            raise ReplaySourceEmpty(
                f"the stage {origin.route_id}/{origin.stage} has no object under {from_path!r}"
            )

    async def _not_there(self, parent: Execution, asked: str) -> FactflowError:
        seen = await self.history.stages(parent.id)
        named = [one for one in seen if asked in {one.stage, f"{one.route_id}/{one.stage}"}]
        if any(_kept_something(one) for one in named):
            return ReplaySourceGone(f"the objects that execution {parent.id} kept at {asked!r} are gone")
        if named:
            return ReplaySourceEmpty(
                f"nothing is kept at {asked!r}; what passed there can be replayed from lineage"
            )
        known = sorted({f"{one.route_id}/{one.stage}" for one in seen if _kept_something(one)})
        return _unknown(asked, known)

    async def _in_history(self, parent: Execution, asked: str) -> Origin:
        seen = await self.history.stages(parent.id)
        if any(one.route_id == asked for one in seen):
            return Origin(route_id=asked)
        named = [
            one for one in seen if asked in {f"{one.route_id}/{one.stage}", f"{one.route_id}/{one.adapter}"}
        ]
        found = named or [one for one in seen if asked in {one.stage, one.adapter}]
        routes = sorted({one.route_id for one in found})
        if len(routes) > 1:
            raise _ambiguous(asked, routes)
        if not routes:
            raise _unknown(asked, sorted({f"{one.route_id}/{one.stage}" for one in seen}))
        name = asked.removeprefix(routes[0] + "/") if named else asked
        return Origin(route_id=routes[0], stage=name)


def route_ids_of(execution: Execution) -> Collection[str]:
    """The routes of an execution's snapshot, also of one that would not run any more."""
    pipeline = execution.config_snapshot.get("pipeline")
    routes = pipeline.get("routes") if isinstance(pipeline, Mapping) else None
    return list(routes) if isinstance(routes, Mapping) else []


def _kept_something(seen: StageSeen) -> bool:
    """An entry whose pipeline adapter named no stage has the adapter's name in its place."""
    return seen.stage != seen.adapter


def _ambiguous(asked: str, routes: Sequence[str]) -> ReplayStageAmbiguous:
    ways = ", ".join(f"{route}/{asked}" for route in routes)
    return ReplayStageAmbiguous(f"several routes have a stage {asked!r}: say which by {ways}")


def _unknown(asked: str, known: Sequence[str]) -> ReplayStageUnknown:
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    what = f"; it has {', '.join(known[:MOST_NAMED])}{more}" if known else ""
    return ReplayStageUnknown(f"the execution has no stage {asked[:200]!r}{what}")


async def _first(objects: AsyncIterator[StoredObject]) -> StoredObject | None:
    try:
        return await anext(objects, None)
    finally:
        if isinstance(objects, AsyncGenerator):
            await objects.aclose()
