"""How far lists count."""

from __future__ import annotations

COUNTED_EXACTLY = 10_000
"""A list's total is exact up to this; above it the total says only that there are more, or is an estimate."""
