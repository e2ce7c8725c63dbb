"""Gathers findings while a config is read, so that all are told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.findings import Finding, Severity, ValidationReport
from domain.validation.codes import finding

MAX_SHOWN = 100
"""Of errors and of warnings each: a file of a megabyte can hold tens of thousands."""
MAX_MESSAGE = 500


class Collected:
    """The findings so far. Lines are looked up by path; a path without one has the line of what it stands in."""

    __slots__ = ("_errors", "_lines", "_warnings")

    def __init__(self, lines: Mapping[str, int] | None = None, found: Iterable[Finding] = ()) -> None:
        self._lines = lines or {}
        self._errors: list[Finding] = []
        self._warnings: list[Finding] = []
        for each in found:
            self._keep(each)

    def add(
        self, code: str, path: str, message: str, *, line: int | None = None, remediation: str | None = None
    ) -> None:
        """Note one finding; beyond the limit only that there were more."""
        where = self._line_of(path) if line is None else line
        self._keep(finding(code, path, message[:MAX_MESSAGE], line=where, remediation=remediation))

    @property
    def has_room(self) -> bool:
        """Whether a further error would be noted: what is costly to word need not be worded otherwise."""
        return len(self._errors) <= MAX_SHOWN

    @property
    def has_errors(self) -> bool:
        """Whether anything found so far keeps the config from running."""
        return bool(self._errors)

    def findings(self) -> tuple[Finding, ...]:
        """Everything found: errors first, each kind by line."""
        return (*sorted(self._errors, key=_position), *sorted(self._warnings, key=_position))

    def report(self) -> ValidationReport:
        """The findings as a report."""
        return ValidationReport(findings=self.findings())

    def _keep(self, found: Finding) -> None:
        if found.severity is Severity.ERROR:
            _append(self._errors, found, "E501", f"there are more than {MAX_SHOWN} errors")
        else:
            _append(self._warnings, found, "W503", f"there are more than {MAX_SHOWN} warnings")

    def _line_of(self, path: str) -> int | None:
        while path and path not in self._lines:
            path = path.rpartition(".")[0]
        return self._lines.get(path)


def _append(kept: list[Finding], found: Finding, code: str, overflow: str) -> None:
    if len(kept) < MAX_SHOWN:
        kept.append(found)
    elif len(kept) == MAX_SHOWN:
        kept.append(finding(code, "", overflow + "; the rest is not shown"))


def _position(found: Finding) -> tuple[bool, int, str]:
    return (found.line is None, found.line or 0, found.path)
