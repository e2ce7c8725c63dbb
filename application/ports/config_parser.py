"""Reads YAML as plain values, with where each stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from domain.findings import Finding
from domain.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedConfig:
    """A parsed file: its value, the line (from 1) of each path, and what is wrong with the text itself.

    A path is the keys and list positions joined by ``.``, as in ``routes.read.adapters.0.type``; ``""`` is the whole.
    ``value`` is None when the text could not be read as a whole; ``findings`` then has at least one error.
    """

    value: Json
    lines: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class ConfigParser(Protocol):
    """Parses the text of a pipeline config, however hostile, in bounded time and memory."""

    def parse(self, text: str) -> ParsedConfig:
        """Never raises; everything wrong is a finding with its line."""
        ...
