"""Paths into a config: keys and list positions joined by dots."""

from __future__ import annotations

MAX_PATH = 500
"""Longer paths stay at what they stand in: fifty levels of long keys times fifty thousand values would be gigabytes."""

_MAX_PART = 200


def joined(path: str, part: str) -> str:
    """A path one step further down."""
    if len(path) >= MAX_PATH:
        return path
    return f"{path}.{part[:_MAX_PART]}" if path else part[:_MAX_PART]
