"""The page of the HTTP API: what is written by hand, and a table of operations made from the API's description."""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

from adapters.http.app import create_app
from adapters.http.openapi import openapi_document
from tests.http_server import World

HEADING = "## Operations\n"
EVERYWHERE = {
    "internal_error", "unavailable", "malformed_request", "host_not_allowed", "origin_not_allowed",
    "not_authenticated", "api_key_not_valid", "api_key_expired", "api_key_revoked", "scope_missing",
    "too_many_requests", "invalid_idempotency_key", "idempotency_key_reused", "idempotency_in_flight",
    "answer_not_kept",
}  # fmt: skip
INTRODUCTION = """
The errors are those that an operation can answer beside these:
`internal_error`, `unavailable` and `malformed_request` may come from every operation, `host_not_allowed` from every operation of a server without authentication, and `origin_not_allowed` from one that changes something.
An operation that is a `POST` and changes something takes an `Idempotency-Key`, and may answer 400 `invalid_idempotency_key`, 409 `idempotency_in_flight` or `answer_not_kept`, and 422 `idempotency_key_reused`.
On a server with authentication an operation needs a key with the scope that is named here: without one it answers 401 `not_authenticated`, `api_key_not_valid`, `api_key_expired` or `api_key_revoked`, 403 `scope_missing`, and 429 `too_many_requests`.
A question that names stored objects needs `storage:read` besides.
Shapes and examples of requests and answers are in the server's own `/openapi.json`; [openapi.json](openapi.json) is the same without the shapes and examples of problems.
"""


def description() -> dict[str, Any]:
    """The API's description of itself."""
    return openapi_document(create_app(World().bare_application()), title="", version="")


def snapshot() -> str:
    """The description as it is kept beside the pages, so that every change of the API is seen in a diff.

    Of problems the codes alone are kept: their shape is one, and their examples would be half of it.
    """
    document = description()
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                if "application/problem+json" in response.get("content", {}):
                    del response["content"]
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


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
    operations.sort(key=lambda each: each[1]["tags"][0])
    lines = [f"There are {len(operations)} operations: {_counted(operations)}.", ""]
    for tag, tagged in groupby(operations, key=lambda each: each[1]["tags"][0]):
        lines += [
            f"### {tag}",
            "",
            "| operation | id | scope | does | errors |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {name} | `{operation['operationId']}` | {_scope(operation)} | {operation['summary']} | {_errors(operation)} |"
            for name, operation in tagged
        ]
        lines.append("")
    return lines


def _counted(operations: list[tuple[str, dict[str, Any]]]) -> str:
    counts = Counter(operation["tags"][0] for _, operation in operations)
    return ", ".join(f"{tag} {count}" for tag, count in counts.items())


def _scope(operation: dict[str, Any]) -> str:
    """The scope that it needs, in words where that is none."""
    if not operation["security"]:
        return "public"
    (scopes,) = operation["security"][0].values()
    return f"`{scopes[0]}`" if scopes else "any key"


def _errors(operation: dict[str, Any]) -> str:
    told = {status: _codes(response) for status, response in operation["responses"].items()}
    return "; ".join(
        f"{status} " + ", ".join(f"`{code}`" for code in codes) for status, codes in told.items() if codes
    )


def _codes(response: dict[str, Any]) -> list[str]:
    problems = response.get("content", {}).get("application/problem+json", {})
    return [code for code in problems.get("examples", {}) if code not in EVERYWHERE]
