"""Identifiers from the machine's time and its random number generator."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from uuid import UUID

from domain.identity import uuid7

_COUNTER_BITS = 74
_LOW_BITS = 62


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


class SystemIdSource:
    """Version 7 UUIDs that only ever grow, whatever the clock does. Safe for use from several threads.

    The 74 bits after the time are a counter that starts anywhere in its lower half and goes up by a random step
    within a millisecond: RFC 9562, section 6.2, method 2. ``milliseconds`` tells the Unix time.
    """

    def __init__(self, milliseconds: Callable[[], int] = _wall_clock) -> None:
        self._milliseconds = milliseconds
        self._random = random.SystemRandom()
        self._lock = threading.Lock()
        self._latest = -1
        self._counter = 0

    def new_id(self) -> UUID:
        with self._lock:
            moment, counter = self._advance()
        return uuid7(
            moment, (counter >> _LOW_BITS << 68 | counter & (1 << _LOW_BITS) - 1).to_bytes(10, "big")
        )

    def _advance(self) -> tuple[int, int]:
        moment = self._milliseconds()
        if moment > self._latest:
            self._latest, self._counter = moment, int.from_bytes(os.urandom(10), "big") >> 7
        else:
            self._counter += 1 + int.from_bytes(os.urandom(4), "big")
            if self._counter >> _COUNTER_BITS:
                self._latest, self._counter = self._latest + 1, int.from_bytes(os.urandom(4), "big")
        return self._latest, self._counter

    def randomness(self) -> float:
        return self._random.random()
