"""`factflow config validate`: no server is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domain.errors import Invalid, NotFound
from domain.findings import Finding, Severity, ValidationReport
from entrypoints.cli.exit_codes import KINDS, OK
from entrypoints.cli.problems import finding_lines
from entrypoints.cli.session import ClientCommand, Session
from entrypoints.cli.streams import harmless
from entrypoints.cli.texts import UnreadableFile, text_of

if TYPE_CHECKING:
    from application.config_check import ConfigCheck


class NoConfigFiles(NotFound):
    """The folder has no YAML files."""

    code = "no_config_files"


@click.command(cls=ClientCommand)
@click.argument("source", metavar="FILE|DIR")
@click.pass_obj
def validate(session: Session, source: str) -> int:
    """Say everything that is wrong with a config, or with each in a folder; - reads standard input.

    It is done here, against the pipeline adapters of this installation: no server is asked.
    Exit code 2 when there are errors; warnings alone are no error.
    """
    import asyncio

    from entrypoints.composition.config_check import config_check

    session.settle(os.environ)
    reports = asyncio.run(_reports(config_check(), files_of(source)))
    if session.is_for_programs:
        is_folder = source != "-" and Path(source).is_dir()
        session.print_json(
            json.dumps(_as_json(reports, is_folder=is_folder), indent=2, ensure_ascii=False).encode()
        )
    else:
        _print(reports)
    return OK if all(report.is_valid for _, report in reports) else KINDS[Invalid]


def files_of(source: str) -> Sequence[str]:
    """The file itself, or every YAML file in a folder and below, in order."""
    folder = Path(source)
    if source == "-" or not folder.is_dir():
        return (source,)
    files = sorted(
        str(path) for path in folder.rglob("*") if path.suffix in {".yaml", ".yml"} and path.is_file()
    )
    if not files:
        raise NoConfigFiles(f"{source} has no YAML files")
    return files


async def _reports(check: ConfigCheck, files: Sequence[str]) -> list[tuple[str, ValidationReport]]:
    return [(file, await _report(check, file, is_only=len(files) == 1)) for file in files]


async def _report(check: ConfigCheck, file: str, *, is_only: bool) -> ValidationReport:
    try:
        text = text_of(file)
    except UnreadableFile as error:
        if is_only:
            raise
        return _unreadable(error)
    return (await check.of(text)).report


def _unreadable(error: UnreadableFile) -> ValidationReport:
    finding = Finding(
        severity=Severity.ERROR,
        code="E001",
        path="",
        message=error.message,
        remediation="make it readable UTF-8 text",
    )
    return ValidationReport(findings=(finding,))


def _print(reports: Sequence[tuple[str, ValidationReport]]) -> None:
    for file, report in reports:
        counts = f"{_counted(len(report.errors), 'error')}, {_counted(len(report.warnings), 'warning')}"
        click.echo(f"{harmless(file)}: {'valid' if report.is_valid else 'not valid'} ({counts})")
        for line in finding_lines(_findings(report)):
            click.echo("  " + harmless(line).replace("\n", "\n  "))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _findings(report: ValidationReport) -> list[dict[str, Any]]:
    return [
        {
            "severity": finding.severity.value,
            "code": finding.code,
            "path": finding.path,
            "message": finding.message,
            "remediation": finding.remediation,
            "line": finding.line,
        }
        for finding in (*report.errors, *report.warnings)
    ]


def _as_json(reports: Sequence[tuple[str, ValidationReport]], *, is_folder: bool) -> dict[str, Any]:
    """The API's report of the file; of a folder `{"is_valid", "files": [{"file", …report}]}`."""
    if not is_folder:
        return _report_json(reports[0][1])
    files = [{"file": file, **_report_json(report)} for file, report in reports]
    return {"is_valid": all(report.is_valid for _, report in reports), "files": files}


def _report_json(report: ValidationReport) -> dict[str, Any]:
    return {
        "is_valid": report.is_valid,
        "findings": _findings(report),
        "error_count": len(report.errors),
        "warning_count": len(report.warnings),
    }
