"""Reads one mapping of a config, key by key; what is wrong is noted and a stand-in is returned."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from domain.json import Json, JsonObject
from domain.validation.collected import Collected
from domain.validation.paths import joined

MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping and its path. A key whose value is null counts as absent."""

    values: JsonObject
    path: str
    collected: Collected

    def at(self, key: str) -> str:
        """The path of a key."""
        return joined(self.path, key)

    def note(self, code: str, key: str, message: str) -> None:
        """Note a finding about the value of a key."""
        self.collected.add(code, self.at(key), message)

    def only(self, *known: str) -> None:
        """Note every key that is not among the known ones."""
        for key in self.values:
            if key not in known and self.collected.has_room:
                remediation = suggestion(key, known)
                self.collected.add(
                    "E104", self.at(key), f"the key {shown(key)} is not known", remediation=remediation
                )

    def required(self, key: str) -> bool:
        """Whether the key is there; noted when it is not."""
        is_there = self.values.get(key) is not None
        if not is_there:
            self.note("E102", key, f"the key {key!r} is missing")
        return is_there

    def section(self, key: str) -> Section | None:
        """The mapping under a key, None when there is none."""
        return self.section_of(key, self.values.get(key))

    def section_of(self, key: str, value: Json) -> Section | None:
        """A value that stands at a key, or at a path below this section, as a section; None when it is no mapping."""
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.note("E101", key, f"a mapping is needed, not {kind(value)}")
            return None
        return Section(value, self.at(key), self.collected)

    def entries(self, key: str) -> Sequence[Json]:
        """The list under a key, empty when there is none."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not is_list(value):
            self.note("E101", key, f"a list is needed, not {kind(value)}")
            return ()
        return value

    def text(self, key: str) -> str | None:
        """The text under a key, None when there is none: 1 to 2,000 characters."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.note("E101", key, f"text is needed, not {kind(value)}")
            return None
        if not value.strip():
            self.note("E106", key, "the text is empty")
        elif len(value) > MAX_TEXT:
            self.note("E501", key, f"the text has more than {MAX_TEXT} characters")
        return value

    def integer(self, key: str, default: int, *, least: int, most: int) -> int:
        """The whole number under a key, within its range."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.note("E101", key, f"a whole number is needed, not {kind(value)}")
            return default
        return value if self._is_within(key, value, least, most) else default

    def number(self, key: str, default: float, *, least: float, most: float) -> float:
        """The number under a key, within its range."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.note("E101", key, f"a number is needed, not {kind(value)}")
            return default
        return float(value) if self._is_within(key, value, least, most) else default

    def _is_within(self, key: str, value: float, least: float, most: float) -> bool:
        is_within = least <= value <= most
        if not is_within:
            self.note("E501", key, f"the number must be from {least:g} to {most:g}")
        return is_within


def suggestion(word: str, known: Iterable[str]) -> str:
    """What to do about a word that is not among the known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(word[:60], known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known here: {', '.join(known)}."


def shown(value: Json) -> str:
    """A value as messages show it, at most 80 characters long."""
    return f"{value[:80]!r}" if isinstance(value, str) else kind(value)


def kind(value: Json) -> str:
    """What sort of value it is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    """Whether it is a list; text is none."""
    return isinstance(value, Sequence) and not isinstance(value, str)
