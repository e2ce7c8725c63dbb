"""Writes the generated part of docs/reference/http-api.md: `python -m tests.http_reference`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.http.app import create_app
from adapters.http.openapi import openapi_document
from tests.http_server import World

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "http-api.md"
HEADING = "## Errors by operation\n"
EVERYWHERE = {"internal_error", "unavailable", "host_not_allowed", "origin_not_allowed"}
INTRODUCTION = """
<!-- The table is made from the API's own description by `python -m tests.http_reference`. -->

Every operation may also answer `internal_error` and `unavailable`.
Every operation of a server without authentication may answer `host_not_allowed`, and one that changes something `origin_not_allowed`.

"""


def description() -> dict[str, Any]:
    """The API's description of itself."""
    return openapi_document(create_app(World().bare_application()), title="", version="")


def whole_page() -> str:
    """The page as it should be: what is written by hand, and the table."""
    by_hand = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    return by_hand + HEADING + INTRODUCTION + table(description())


def table(document: dict[str, Any]) -> str:
    """One line for each operation, with the codes of its errors by status."""
    lines = ["| operation | errors |", "| --- | --- |"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            told = [
                f"{status} " + ", ".join(f"`{code}`" for code in codes)
                for status, response in operation["responses"].items()
                if (codes := _codes(response))
            ]
            lines.append(f"| `{method.upper()} {path}` | {'; '.join(told)} |")
    return "\n".join(lines) + "\n"


def _codes(response: dict[str, Any]) -> list[str]:
    problems = response.get("content", {}).get("application/problem+json", {})
    return [code for code in problems.get("examples", {}) if code not in EVERYWHERE]


if __name__ == "__main__":
    PAGE.write_text(whole_page(), encoding="utf-8")
