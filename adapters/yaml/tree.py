"""Grows plain values out of YAML events, within bounds, noting where each stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.yaml.scalars import InexactNumber, is_ambiguous, resolved
from domain.json import Json
from domain.validation.collected import Collected
from domain.validation.paths import joined

MAX_DEPTH = 50
MAX_VALUES = 50_000


class Abandoned(Exception):
    """The rest of the text is not worth reading."""


@dataclass(slots=True, kw_only=True)
class _Container:
    """A mapping or list that is still open. In mappings ``is_awaiting_key`` alternates; a value whose key is refused
    is dropped, though its findings are told, under the key where that is text.
    """

    values: dict[str, Json] | list[Json]
    path: str
    line: int
    is_awaiting_key: bool
    is_key: bool = False
    key: str | None = None
    is_refused: bool = False
    keys: set[str] = field(default_factory=set)


class Tree:
    """One document as it grows. ``lines`` maps paths to lines (from 1): a mapping's entry stands where its key does."""

    def __init__(self, collected: Collected) -> None:
        self.value: Json = None
        self.lines: dict[str, int] = {}
        self._collected = collected
        self._open: list[_Container] = []
        self._documents = 0
        self._values = 0

    def begin_document(self, line: int) -> None:
        """A document begins; raises Abandoned at a second one."""
        self._documents += 1
        if self._documents > 1:
            self._abandon("E005", "a second document begins here", line)

    def alias(self, line: int) -> None:
        """An alias is refused; null stands in for it."""
        self._collected.add("E008", self._path(), "an alias is used", line=line)
        self._place(None, line)

    def decorate(self, anchor: str | None, tag: str | None, line: int) -> None:
        """An anchor or a tag is refused; the value counts as if it had none."""
        if anchor is not None:
            self._collected.add("E008", self._path(), f"the anchor &{anchor[:80]} is used", line=line)
        if tag is not None:
            self._collected.add("E009", self._path(), f"the tag {tag[:80]} is used", line=line)

    def scalar(self, text: str, line: int, *, is_plain: bool) -> None:
        """A scalar: the next key where one is due, a value elsewhere."""
        if "\0" in text:
            self._collected.add("E003", self._path(), "the text has a NUL character", line=line)
            text = text.replace("\0", "")
        value = self._resolved(text, line) if is_plain else text
        if self._is_awaiting_key:
            self._take_key(text, value, line)
        else:
            self._place(value, line)

    def open(self, line: int, *, is_mapping: bool) -> None:
        """A mapping or list begins; raises Abandoned when it is nested too deeply."""
        if len(self._open) >= MAX_DEPTH:
            self._abandon("E010", f"the file is nested more than {MAX_DEPTH} levels deep", line)
        is_key = self._is_awaiting_key
        if is_key:
            self._collected.add("E007", self._path(), "a mapping or list stands as a key", line=line)
        path = self._path()
        self._note(path, line)
        values: dict[str, Json] | list[Json] = {} if is_mapping else []
        self._open.append(
            _Container(values=values, path=path, line=line, is_awaiting_key=is_mapping, is_key=is_key)
        )

    def close(self) -> None:
        """The innermost mapping or list is complete."""
        closed = self._open.pop()
        if closed.is_key:
            self._begin_value(None, is_refused=True)
        else:
            self._place(closed.values, closed.line)

    @property
    def _is_awaiting_key(self) -> bool:
        return bool(self._open) and self._open[-1].is_awaiting_key

    def _resolved(self, text: str, line: int) -> Json:
        try:
            value = resolved(text)
        except InexactNumber as error:
            self._collected.add(
                "E012", self._path(), f"{text[:80]!r} is not a usable number: {error}", line=line
            )
            return None
        if is_ambiguous(text):
            reading = "text" if isinstance(value, str) else f"the number {value}"
            self._collected.add("W001", self._path(), f"{text[:80]} is read as {reading} here", line=line)
        return value

    def _take_key(self, text: str, value: Json, line: int) -> None:
        container = self._open[-1]
        if not isinstance(value, str):
            self._collected.add("E007", container.path, f"the key {text[:80]!r} is not text", line=line)
            self._begin_value(text, is_refused=True)
        elif text == "<<":
            self._collected.add("E008", container.path, "a merge key is used", line=line)
            self._begin_value(text, is_refused=True)
        elif text in container.keys:
            path = joined(container.path, text)
            self._collected.add("E006", path, f"{text[:80]!r} stands twice", line=line)
            self._begin_value(text, is_refused=True)
        else:
            container.keys.add(text)
            self._begin_value(text)
            self._note(self._path(), line)

    def _begin_value(self, key: str | None, *, is_refused: bool = False) -> None:
        container = self._open[-1]
        container.key, container.is_refused, container.is_awaiting_key = key, is_refused, False

    def _place(self, value: Json, line: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._abandon("E011", f"the file holds more than {MAX_VALUES} values", line)
        if not self._open:
            self.value = value
            return
        self._note(self._path(), line)
        container = self._open[-1]
        if isinstance(container.values, list):
            container.values.append(value)
            return
        if container.is_awaiting_key:
            self._begin_value(None, is_refused=True)
            return
        if container.key is not None and not container.is_refused:
            container.values[container.key] = value
        container.is_awaiting_key = True

    def _path(self) -> str:
        if not self._open:
            return ""
        container = self._open[-1]
        if isinstance(container.values, list):
            return joined(container.path, str(len(container.values)))
        if container.is_awaiting_key or container.key is None:
            return container.path
        return joined(container.path, container.key)

    def _note(self, path: str, line: int) -> None:
        self.lines.setdefault(path, line)

    def _abandon(self, code: str, message: str, line: int) -> None:
        self._collected.add(code, self._path(), message, line=line)
        raise Abandoned
