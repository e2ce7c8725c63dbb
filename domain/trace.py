"""The trace that a request belongs to, as W3C Trace Context (section 3.2) writes it down."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_WRITTEN = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)
TRACE_BYTES, SPAN_BYTES = 16, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The ids of a trace and of one step in it, in hex; ``is_sampled`` is whether somebody keeps it."""

    trace_id: str
    span_id: str
    is_sampled: bool = False

    @classmethod
    def parse(cls, text: str) -> Trace | None:
        """The trace of a `traceparent`, None for what is none. Of a later version the flags we do not know are dropped."""
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            return None
        return cls(
            trace_id=match["trace"], span_id=match["span"], is_sampled=bool(int(match["flags"], 16) & 1)
        )

    @classmethod
    def begun(cls, randomness: bytes) -> Trace:
        """A trace that begins here, from 24 random bytes."""
        return cls(trace_id=randomness[:TRACE_BYTES].hex(), span_id=randomness[TRACE_BYTES:].hex())

    def step(self, randomness: bytes) -> Trace:
        """The next step in the trace, from eight random bytes."""
        return replace(self, span_id=randomness.hex())

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{int(self.is_sampled):02x}"
