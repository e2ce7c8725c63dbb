"""Who follows the messages of which execution, here and in other processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class FollowedHere:
    """What the listeners of this process follow; None stands for every execution."""

    _counts: Counter[UUID | None] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, execution_id: UUID | None) -> bool:
        """Whether it was not followed before."""
        self._counts[execution_id] += 1
        return self._counts[execution_id] == 1

    def remove(self, execution_id: UUID | None) -> bool:
        """Whether it is no longer followed."""
        self._counts[execution_id] -= 1
        if self._counts[execution_id]:
            return False
        del self._counts[execution_id]
        return True

    @property
    def executions(self) -> Sequence[UUID]:
        return [execution_id for execution_id in self._counts if execution_id is not None]

    @property
    def everything(self) -> bool:
        return None in self._counts


@dataclass(slots=True)
class FollowedElsewhere:
    """What other processes say they follow; each word holds until it is renewed, taken back, or has expired."""

    _executions: dict[UUID, frozenset[UUID]] = field(default_factory=dict)
    _of_all: set[UUID] = field(default_factory=set)
    _until: dict[UUID, float] = field(default_factory=dict)
    _followed: frozenset[UUID] = frozenset()

    def __contains__(self, execution_id: UUID) -> bool:
        return bool(self._of_all) or execution_id in self._followed

    def __len__(self) -> int:
        return len(self._until)

    def renew(self, process: UUID, executions: Iterable[UUID], *, everything: bool, until: float) -> None:
        """Replace what a process follows; nothing takes it back."""
        wanted = frozenset(executions)
        self._of_all.discard(process)
        if everything:
            self._of_all.add(process)
        if wanted or everything:
            self._until[process] = until
        else:
            self._until.pop(process, None)
        if wanted != self._executions.get(process, frozenset()):
            self._executions[process] = wanted
            self._followed = frozenset().union(*self._executions.values())
        if not wanted:
            self._executions.pop(process, None)

    def expire(self, now: float) -> None:
        """Forget processes that have not renewed in time."""
        for process in [process for process, until in self._until.items() if until <= now]:
            self.renew(process, (), everything=False, until=now)
