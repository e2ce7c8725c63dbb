"""Tries a message broker at an address, which need not be the one that the server works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")


class Attempts(Protocol):
    """Tries a step and notes its name, its time and what went wrong."""

    async def attempt(self, name: str, act: Callable[[], Awaitable[T]]) -> T | None:
        """What the step gives; None when it failed, and for every step after one that failed."""
        ...

    @property
    def is_well(self) -> bool:
        """Whether no step has failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTarget:
    """Where a broker is and who asks. ``messages`` are sent there and awaited back; 0 sends none.

    Between two of them ``pause_seconds`` pass, and up to ``jitter_seconds`` besides, by chance.
    Heartbeats are offered in milliseconds, 0 for none.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    is_encrypted: bool = True
    is_verified: bool = True
    heartbeat_send_ms: int = 30_000
    heartbeat_receive_ms: int = 30_000
    messages: int = 0
    pause_seconds: float = 0.0
    jitter_seconds: float = 0.0


class BrokerProbe(Protocol):
    """Goes to public addresses only, and to networks that an operator allows."""

    def examine(self, target: BrokerTarget) -> None:
        """Raise DestinationRefused for a literal address that is never tried; nobody is asked."""
        ...

    async def probe(self, target: BrokerTarget, trial: Attempts) -> None:
        """Look up the name, connect, encrypt, sign in, and send messages to a queue of its own, each a step of the trial.

        Nothing is left behind but what a broker keeps of an empty queue. Raises nothing of its own: what goes wrong is
        the trial's to tell.
        """
        ...
