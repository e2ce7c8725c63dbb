"""Validation reports on the wire."""

from __future__ import annotations

from msgspec import Struct

from domain.findings import Finding, ValidationReport


class FindingResponse(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a pipeline config, and what to do about it. `line` counts from 1."""

    severity: str
    code: str
    path: str
    message: str
    remediation: str
    line: int | None = None


class ValidationReportResponse(Struct, frozen=True, kw_only=True):
    """All findings, errors first; a config with warnings alone is valid."""

    is_valid: bool
    findings: list[FindingResponse]
    error_count: int
    warning_count: int


def report_response(report: ValidationReport) -> ValidationReportResponse:
    """A report as it travels."""
    return ValidationReportResponse(
        is_valid=report.is_valid,
        findings=[_finding(finding) for finding in (*report.errors, *report.warnings)],
        error_count=len(report.errors),
        warning_count=len(report.warnings),
    )


def _finding(finding: Finding) -> FindingResponse:
    return FindingResponse(
        severity=finding.severity.value,
        code=finding.code,
        path=finding.path,
        message=finding.message,
        remediation=finding.remediation,
        line=finding.line,
    )
