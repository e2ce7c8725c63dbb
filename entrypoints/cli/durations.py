"""Durations as people write them: `90s`, `10m`, `1h30m`."""

from __future__ import annotations

import re

import click

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"
_LONGEST = 365 * 86_400.0


def seconds_of(text: str) -> float:
    """The seconds of `1h30m`, `500ms` or `90` (seconds); ValueError for anything else, zero and over a year."""
    bare = text.strip().lower()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", bare):
        bare += "s"
    if not re.fullmatch(f"({_PART})+", bare):
        raise ValueError(text)
    total = sum(float(amount) * _SECONDS[unit] for amount, unit in re.findall(_PART, bare))
    if not 0 < total <= _LONGEST:
        raise ValueError(text)
    return total


def in_words(seconds: float) -> str:
    """A duration for people: `0.4 s`, `42 s`, `3 m 05 s`, `2 h 10 m`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


class Duration(click.ParamType[float]):
    """A command line parameter in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, or a usage error."""
        if isinstance(value, float):
            return value
        try:
            return seconds_of(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a duration such as 30s, 10m or 1h30m", param, ctx)
