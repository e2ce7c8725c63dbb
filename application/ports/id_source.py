"""New identifiers and randomness."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


class IdSource(Protocol):
    """Makes identifiers that no one else makes."""

    def new_id(self) -> UUID:
        """A fresh version 7 UUID; later ones of one process sort after earlier ones."""
        ...

    def randomness(self) -> float:
        """A number uniform in [0, 1)."""
        ...
