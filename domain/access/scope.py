"""What a key allows: reading, or reading and changing, what belongs to one tag of the API or to all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.access.errors import InvalidScope

EVERYTHING = "*"
TAGS = frozenset(
    {
        "adapters",
        "audit",
        "chat",
        "configs",
        "content",
        "dead-letters",
        "embeddings",
        "executions",
        "indexes",
        "keys",
        "lineage",
        "pipelines",
        "replay",
        "search",
        "storage",
        "system",
        "templates",
        "webhooks",
    }
)
"""The tags of the API, as scopes name them: a space in a tag is a hyphen here."""


class Action(StrEnum):
    """What may be done; whoever may write may read."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One tag, or ``*`` for all there are and will be, and what may be done with it."""

    tag: str
    action: Action

    def __post_init__(self) -> None:
        if self.tag not in TAGS | {EVERYTHING}:
            raise InvalidScope(f"{self.tag!r} is no tag of the API; there are *, {', '.join(sorted(TAGS))}")

    def __str__(self) -> str:
        return f"{self.tag}:{self.action}"

    @classmethod
    def parse(cls, text: str) -> Scope:
        """The scope that a text such as ``executions:read`` names; raises InvalidScope."""
        tag, colon, action = text.partition(":")
        if not colon or action not in Action._value2member_map_:
            raise InvalidScope(f"{text[:100]!r} is no scope such as executions:read or *:write")
        return cls(tag, Action(action))

    def covers(self, other: Scope) -> bool:
        """Whether who has this scope has the other one too."""
        return self.tag in {EVERYTHING, other.tag} and self.action in {Action.WRITE, other.action}


FULL = Scope(EVERYTHING, Action.WRITE)


def covered(wanted: Iterable[Scope], held: Collection[Scope]) -> bool:
    """Whether every scope wanted is covered by one that is held."""
    return all(any(one.covers(scope) for one in held) for scope in wanted)
