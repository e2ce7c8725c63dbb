"""How much is stored, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from application.ports.object_storage import ObjectStorage

MOST_OBJECTS = 1_000_000
MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """So many objects of so many bytes; ``name`` is what they have in common."""

    name: str
    objects: int = 0
    size: int = 0

    def with_one(self, size: int) -> Usage:
        """With one object more."""
        return replace(self, objects=self.objects + 1, size=self.size + size)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """All of a prefix, and its groups by name; lower bounds unless exact."""

    whole: Usage
    groups: Sequence[Usage]
    is_exact: bool


async def usage(storage: ObjectStorage, prefix: str, group_of: Callable[[str], str]) -> UsageReport:
    """Count below a prefix, up to a million objects and a thousand groups. ``group_of`` is given a key's rest."""
    whole, groups = Usage(name=prefix), dict[str, Usage]()
    async for stored in storage.list(prefix):
        name = group_of(stored.key.removeprefix(prefix))
        if whole.objects == MOST_OBJECTS or (name not in groups and len(groups) == MOST_GROUPS):
            return _report(whole, groups, is_exact=False)
        whole = whole.with_one(stored.size)
        groups[name] = groups.get(name, Usage(name=name)).with_one(stored.size)
    return _report(whole, groups, is_exact=True)


def next_part(rest: str) -> str:
    """The next part of a key, with its slash when more follows."""
    part, slash, _ = rest.partition("/")
    return part + slash if slash else ""


def folder(rest: str) -> str:
    """All but the last part: of an execution's object its `<route>/<stage>`."""
    return rest.rpartition("/")[0]


def _report(whole: Usage, groups: dict[str, Usage], *, is_exact: bool) -> UsageReport:
    return UsageReport(whole=whole, groups=[groups[name] for name in sorted(groups)], is_exact=is_exact)
