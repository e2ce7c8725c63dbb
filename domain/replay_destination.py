"""Where the messages of a replay go: the rules, over a pipeline and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from domain.pipeline import Pipeline, Route
from domain.replay import (
    Destination,
    Origin,
    ReplayRouteNeeded,
    ReplayRouteUnfit,
    ReplayRouteUnknown,
    ReplaySource,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Finds the destination in a pipeline.

    ``needing_content`` are the types of pipeline adapters that need more in a message than a stored object's key;
    ``collects`` tells those that take groups of messages: what was kept behind one is not to be grouped again.
    """

    pipeline: Pipeline
    collects: Callable[[str], bool]
    needing_content: Collection[str] = ()

    def destination(
        self, source: ReplaySource, origin: Origin | None, to_route: str | None, *, gives_keys: bool
    ) -> Destination:
        """Raises ReplayRouteUnknown, ReplayRouteNeeded, ReplayRouteUnfit.

        From lineage the messages go to the route that had them, unless another is named. Stored objects go to the
        named route, or to the one that follows their stage, if that can begin with a key; where the stage was kept in
        the middle of its route, the rest of that route can make of them what the next one needs.
        """
        if source is ReplaySource.LINEAGE and to_route is None and origin is not None:
            to_route = origin.route_id
        target = self._target(origin, to_route)
        direct = Destination(to_route=target.id, enters=target.id)
        if not gives_keys:
            return direct
        through = self._through_the_rest(origin, target)
        is_fit = self._takes_keys(target)
        if through is not None and (not is_fit or to_route is None):
            return through
        if is_fit:
            return direct
        raise ReplayRouteUnfit(
            f"the route {target.id} begins with {target.adapters[0].type}, "
            "which needs more than the key of a stored object"
        )

    def _target(self, origin: Origin | None, to_route: str | None) -> Route:
        if to_route is not None:
            return self._route(to_route)
        source = None if origin is None else self.pipeline.routes.get(origin.route_id)
        if source is None:
            raise ReplayRouteNeeded("the replay must name the route to send to (to_route)")
        following = {target for start, target, _ in self.pipeline.edges() if start == source.id}
        if len(following) != 1:
            what = f"the routes {', '.join(sorted(following))} follow" if following else "no route follows"
            raise ReplayRouteNeeded(f"{what} {source.id}; the replay must name one to send to (to_route)")
        return self._route(following.pop())

    def _route(self, route_id: str) -> Route:
        if route_id not in self.pipeline.routes:
            known = ", ".join(self.pipeline.routes)
            raise ReplayRouteUnknown(f"the pipeline has no route {route_id[:100]!r}; it has {known}")
        return self.pipeline.routes[route_id]

    def _takes_keys(self, route: Route) -> bool:
        return route.adapters[0].type not in self.needing_content

    def _loads(self, route: Route) -> bool:
        return self._takes_keys(route) and not self.collects(route.adapters[0].type)

    def _through_the_rest(self, origin: Origin | None, target: Route) -> Destination | None:
        """The way through what is left of the stage's route, if there is one that no other message takes too."""
        source = None if origin is None else self.pipeline.routes.get(origin.route_id)
        if source is None or origin is None or not self._loads(source):
            return None
        kept_at = [at for at, step in enumerate(source.adapters) if step.type == origin.kept_by]
        leads_on = (source.id, target.id) in {(start, end) for start, end, _ in self.pipeline.edges()}
        is_in_circle = source.id in self.pipeline.routes_leading_to(source.id)
        is_in_the_middle = bool(kept_at) and 0 < kept_at[-1] < len(source.adapters) - 1
        if not is_in_the_middle or not leads_on or is_in_circle:
            return None
        return Destination(to_route=target.id, enters=source.id, after_step=kept_at[-1])
