"""Shows progress, tables for people and JSON for programs."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.outcome import Cell, Figure, Outcome
from entrypoints.settings import usable_cores


def progress(text: str) -> None:
    """One line to standard error, at once."""
    print(text, file=sys.stderr, flush=True)


def table(outcome: Outcome) -> str:
    """The outcome for people."""
    figures = [
        [figure.name, f"{_cell(figure.value)} {figure.unit}".strip(), figure.limit, _verdict(figure)]
        for figure in outcome.figures
    ]
    parts = [
        outcome.benchmark.upper(),
        _columns([outcome.columns, *outcome.rows]),
        _columns([["figure", "value", "limit", ""], *figures]),
        *outcome.notes,
    ]
    return "\n\n".join(part for part in parts if part)


def as_json(outcomes: Sequence[Outcome], failures: Mapping[str, str]) -> str:
    """All outcomes with the machine they were measured on, and why each of the others was not measured."""
    return json.dumps(
        {
            "machine": _machine(),
            "benchmarks": {outcome.benchmark: _values(outcome) for outcome in outcomes},
            "not_measured": dict(failures),
        },
        indent=2,
    )


def _values(outcome: Outcome) -> dict[str, Any]:
    return {
        "is_met": outcome.is_met,
        "figures": [
            {
                "name": figure.name,
                "value": round(figure.value, 4),
                "unit": figure.unit,
                "at_most": figure.at_most,
                "at_least": figure.at_least,
                "is_met": figure.is_met,
            }
            for figure in outcome.figures
        ],
        "runs": [dict(zip(outcome.columns, row, strict=True)) for row in outcome.rows],
        "notes": list(outcome.notes),
    }


def _machine() -> dict[str, Any]:
    return {
        "cores": usable_cores(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _verdict(figure: Figure) -> str:
    if not figure.limit:
        return ""
    return "met" if figure.is_met else "MISSED"


def _columns(rows: Sequence[Sequence[Cell]]) -> str:
    """Rows under each other, the first underlined, numbers to the right."""
    texts = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    lines = [
        "  ".join(
            text.rjust(width) if isinstance(cell, int | float) else text.ljust(width)
            for text, cell, width in zip(row, cells, widths, strict=True)
        ).rstrip()
        for row, cells in zip(texts, rows, strict=True)
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cell(cell: Cell) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.1f}"
