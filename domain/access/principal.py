"""Who asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain.access.scope import FULL, Scope, covered


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever a request comes from, and what they may do.

    ``owner`` is the text under which things are kept that belong to them alone; it says how they were known:
    ``key:<id of the API key>``, ``user:<name>`` by a trusted proxy, or ``local`` on a server that asks nobody.
    """

    owner: str
    scopes: frozenset[Scope]
    name: str = ""
    key_id: UUID | None = None
    requests_per_minute: int | None = None

    def may(self, scope: Scope) -> bool:
        """Whether a scope that they have covers this one."""
        return covered((scope,), self.scopes)

    def may_all(self, scopes: Collection[Scope]) -> bool:
        """Whether their scopes cover all of these."""
        return covered(scopes, self.scopes)


LOCAL = Principal(owner="local", name="local", scopes=frozenset({FULL}))
"""Everybody on a server that runs without authentication."""
