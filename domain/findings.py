"""What validation finds in a pipeline config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Invalid, NotFound


class Severity(StrEnum):
    """Whether a finding keeps the config from running."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: a stable code, the path into the file, the line (from 1), and what to do about it."""

    severity: Severity
    code: str
    path: str
    message: str
    remediation: str
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """Something wrong with one pipeline adapter's config; ``path`` is relative to that config.

    ``code`` is E103 (unknown type), E301 (unknown field), E302 (missing field) or E303 (wrong value).
    """

    code: str
    path: str
    message: str
    remediation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """All findings of one config, errors first; warnings alone leave it valid."""

    findings: Sequence[Finding] = ()

    @property
    def errors(self) -> Sequence[Finding]:
        """The findings that keep it from running."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> Sequence[Finding]:
        """The findings that do not."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def is_valid(self) -> bool:
        """Whether the config may run."""
        return not self.errors


class ConfigNotRunnable(Invalid):
    """The pipeline config has errors and cannot run."""

    code = "config_not_runnable"

    def __init__(self, report: ValidationReport) -> None:
        first = report.errors[0]
        super().__init__(
            f"the config has {len(report.errors)} errors; the first: {first.code} {first.message}"
        )
        self.report = report


class UnparseableConfig(Invalid):
    """The text is not YAML that can be read."""

    code = "config_unparseable"

    def __init__(self, report: ValidationReport) -> None:
        super().__init__(report.errors[0].message)
        self.report = report


class UnknownPipelineAdapter(NotFound):
    """There is no pipeline adapter of that type."""

    code = "pipeline_adapter_unknown"


class InvalidAdapterConfig(Invalid):
    """A pipeline adapter's config is not valid."""

    code = "pipeline_adapter_config_invalid"
