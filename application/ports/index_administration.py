"""Keeps the index over segments fast as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class IndexAdministration(Protocol):
    """Approximate indexes over large embedding slots. Safe to call from several processes."""

    async def index_large_slots(self) -> Sequence[str]:
        """Build an approximate index for every slot that has become large and has none; their model names.

        Blocks nobody who reads or writes. Small slots are searched exactly and need none. A call while another is
        building returns nothing. Raises Unavailable.
        """
        ...

    async def approximate_slots(self) -> Sequence[str]:
        """The model names of the slots that are searched through an approximate index, in order."""
        ...
