"""What a benchmark found: a table of runs, and figures some of which have a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float


class NotMeasurable(Exception):
    """Something that the benchmark needs is not there; the message says what and how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure; ``at_most`` and ``at_least`` are its limits, None where there is none."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its limits."""
        too_large = self.at_most is not None and self.value > self.at_most
        too_small = self.at_least is not None and self.value < self.at_least
        return not too_large and not too_small

    @property
    def limit(self) -> str:
        """The limits in words, empty when there are none."""
        parts = [("at most", self.at_most), ("at least", self.at_least)]
        return ", ".join(f"{words} {limit:g}" for words, limit in parts if limit is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One benchmark's runs (``rows`` under ``columns``), what follows from them, and remarks on how to read it."""

    benchmark: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    figures: Sequence[Figure]
    notes: Sequence[str] = ()

    @property
    def is_met(self) -> bool:
        """Whether every figure keeps its limits."""
        return all(figure.is_met for figure in self.figures)
