"""The page of the HTTP API: what is written by hand, and a table of operations made from the API's description."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from adapters.http.app import create_app
from adapters.http.openapi import openapi_document
from tests.http_server import World

HEADING = "## Operations\n"
EVERYWHERE = {"internal_error", "unavailable", "malformed_request", "host_not_allowed", "origin_not_allowed"}
INTRODUCTION = """
The errors are those that an operation can answer beside these:
`internal_error`, `unavailable` and `malformed_request` may come from every operation, `host_not_allowed` from every operation of a server without authentication, and `origin_not_allowed` from one that changes something.
Shapes and examples of requests and answers are in the server's own `/openapi.json`.
"""


def description() -> dict[str, Any]:
    """The API's description of itself."""
    return openapi_document(create_app(World().bare_application()), title="", version="")


def http_page(note: str, page: Path) -> str:
    """The page as it should be: what is written by hand, and the tables."""
    by_hand = page.read_text(encoding="utf-8").partition(HEADING)[0]
    return by_hand + "\n".join([HEADING, note + "\n" + INTRODUCTION, *tables(description())])


def tables(document: dict[str, Any]) -> list[str]:
    """One table for each tag, and in it one line for each operation, with the codes of its errors by status."""
    operations = [
        (f"`{method.upper()} {path}`", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    lines = []
    for tag, tagged in groupby(operations, key=lambda each: each[1]["tags"][0]):
        lines += [f"### {tag}", "", "| operation | id | does | errors |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {name} | `{operation['operationId']}` | {operation['summary']} | {_errors(operation)} |"
            for name, operation in tagged
        ]
        lines.append("")
    return lines


def _errors(operation: dict[str, Any]) -> str:
    told = {status: _codes(response) for status, response in operation["responses"].items()}
    return "; ".join(
        f"{status} " + ", ".join(f"`{code}`" for code in codes) for status, codes in told.items() if codes
    )


def _codes(response: dict[str, Any]) -> list[str]:
    problems = response.get("content", {}).get("application/problem+json", {})
    return [code for code in problems.get("examples", {}) if code not in EVERYWHERE]
