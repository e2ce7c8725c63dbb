"""Messages that were in the hands of processes that died, and what is to become of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.errors import Refused

SUSPECT_FROM = 2
"""With so many crashes a message runs alone; the partial index over suspects says the same number."""


class WorkerDied(Refused):
    """Processes died again and again while they were at this message and at nothing else."""

    code = "worker_died"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A waiting message that may be what its processes died of. ``crashes`` counts those that died with a claim on it."""

    message_id: UUID
    execution_id: UUID
    route_id: str
    crashes: int

    def is_guilty(self, max_retries: int) -> bool:
        """Whether it has had its chances.

        Never by crashes in company alone: only from ``SUSPECT_FROM`` on was nothing else at work, so the next death
        is the first that says anything about this message, even on a route without retries.
        """
        return self.crashes > max(max_retries, SUSPECT_FROM)

    def may_have_company(self, max_retries: int) -> bool:
        """Whether it may run with other suspects: only once, and only if a death there would not convict it."""
        return self.crashes == SUSPECT_FROM and self.crashes + 1 <= max(max_retries, SUSPECT_FROM)

    @property
    def verdict(self) -> WorkerDied:
        """What it is settled as dead with."""
        return WorkerDied(
            f"the process died {self.crashes} times while it was at this message, the last time at nothing else"
        )
