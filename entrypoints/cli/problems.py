"""A problem document (RFC 9457) as one of our errors: its detail, its code, and a hint for each wrong field."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from domain.errors import FactflowError
from entrypoints.cli.exit_codes import kind_of

Problem = Mapping[str, Any]


def problem_error(status: int, body: bytes, url: str) -> FactflowError:
    """The error that an answer of status 400 and above tells of."""
    problem = _document(body)
    code = problem.get("error_code")
    told = _detail(problem) or f"{url} answers with status {status} {_phrase(status)}"
    error = kind_of(status, code)(told)
    error.code = code if isinstance(code, str) else f"http_{status}"
    for hint in _hints(status, problem):
        error.add_note(hint)
    return error


def stream_error(problem: Problem) -> FactflowError:
    """The error that the event ``error`` of a stream carries."""
    status = problem.get("status")
    return problem_error(
        status if isinstance(status, int) else 500, json.dumps(problem).encode(), "the server"
    )


def finding_lines(findings: Sequence[Problem]) -> list[str]:
    """A line for each finding of a validation report: where, which, what, and what to do about it."""
    return [
        f"{_place(finding)}{finding.get('severity', 'error')} {finding.get('code', '')}: {finding.get('message', '')}"
        + (f"\n  {finding['remediation']}" if finding.get("remediation") else "")
        for finding in findings
    ]


def _document(body: bytes) -> Problem:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _detail(problem: Problem) -> str | None:
    detail = problem.get("detail")
    if isinstance(detail, str):
        return detail
    return None if detail is None else json.dumps(detail)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _hints(status: int, problem: Problem) -> list[str]:
    hints = [_field(item) for item in _objects(problem.get("errors"))]
    hints += finding_lines(_objects(problem.get("findings")))
    if status == 401:
        hints.append("--api-key or FACTFLOW_API_KEY sends a key")
    if status >= 500 and isinstance(problem.get("correlation_id"), str):
        hints.append(f"the server's log has more under {problem['correlation_id']}")
    return hints


def _field(item: Problem) -> str:
    place = ".".join(str(part) for part in (item.get("location"), item.get("path")) if part)
    return f"{place}: {item.get('message', '')}" if place else str(item.get("message", item))


def _place(finding: Problem) -> str:
    line, path = finding.get("line"), finding.get("path")
    words = [f"line {line}"] if line else []
    words += [str(path)] if path else []
    return ", ".join(words) + ": " if words else ""


def _objects(value: object) -> list[Problem]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
